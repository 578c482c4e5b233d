// Browser: a Chromium without a screen, for the stand-in's pages and for tests that look at them.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Chromium may be; NAMESAKE_CHROMIUM names another place. */
const PLACES = [process.env['NAMESAKE_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The Chromium of this machine; null where there is none. */
export const chromiumPath: string | null = PLACES.find((path): path is string => path !== undefined && existsSync(path)) ?? null;

export interface Browser {
  /** Where its debugging port listens. */
  address: string;
  close(): Promise<void>;
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once('exit', (code) => reject(new Error(`the browser ended with ${code}: ${said.slice(-2000)}`)));
    child.once('error', reject);
  });
}

/** Starts a browser with a profile of its own, which goes with it. */
export async function startBrowser(): Promise<Browser> {
  if (chromiumPath === null) throw new Error('no Chromium on this machine');
  const profile = mkdtempSync(join(tmpdir(), 'namesake-browser-'));
  const child = spawn(
    chromiumPath,
    [
      '--headless=new',
      // Chromium's own sandbox does not run as root, where containers run.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-extensions',
      '--no-first-run',
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = await addressOf(child);
  return {
    address,
    close: async () => {
      child.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
