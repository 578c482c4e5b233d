// Launch: the desktop app as tests have it, the same on the stand-in and on the real Electron.
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as ElectronModule from 'electron';
import { _electron, chromium, type Browser as Client, type Page } from 'playwright-core';
import { PATIENCE_MS } from '../../support/chromium.ts';
import { root } from '../../support/files.ts';
import { chromiumPath, startBrowser, type Browser } from './browser.ts';
import type { Done } from './control.ts';
import type * as StandInModule from './exports.ts';

/** `electron` as functions that run in the main process see it; the stand-in has `calls` and `trays` besides. */
export type Electron = typeof ElectronModule & typeof StandInModule;

export interface LaunchOptions {
  /** The home; a new one where not given. */
  home?: string;
  env?: Record<string, string>;
}

export interface DesktopApp {
  home: string;
  /** Its main process. */
  pid: number;
  /** The window's page. */
  page(): Promise<Page>;
  /** Runs a function in the main process; it must stand alone, and what it returns must be JSON. */
  evaluate<T, A = undefined>(work: (electron: Electron, argument: A) => T | Promise<T>, argument?: A): Promise<T>;
  /** Settles with the exit code when the app has ended. */
  ended: Promise<number | null>;
  /** Ends it at once, whatever goes on. */
  kill(): Promise<void>;
}

/** A way to run the app. */
export interface Shell {
  name: 'stand-in' | 'electron';
  /** Why it cannot run here; null where it can. */
  missing: string | null;
  open(): Promise<void>;
  launch(options?: LaunchOptions): Promise<DesktopApp>;
  close(): Promise<void>;
}

/** The built program: out/ of the checkout, or another folder built from it. */
export const out = process.env['NAMESAKE_OUT'] ?? join(root, 'out');
const main = join(out, 'main', 'index.js');

function environment(home: string, extra: Record<string, string> = {}): Record<string, string> {
  const given = Object.entries(process.env).filter(([name, value]) => value !== undefined && !/^(NAMESAKE_HOME|NODE_OPTIONS|VITEST.*)$/.test(name));
  return { ...(Object.fromEntries(given) as Record<string, string>), NAMESAKE_HOME: home, ...extra };
}

/** Homes that were made for apps, removed with their shell. */
class Homes {
  readonly #folders: string[] = [];

  make(): string {
    const folder = mkdtempSync(join(tmpdir(), 'namesake-desktop-'));
    this.#folders.push(folder);
    return folder;
  }

  remove(): void {
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** The stand-in's apps share one browser. */
class StandIn implements Shell {
  readonly name = 'stand-in';
  readonly missing = chromiumPath === null ? 'no Chromium' : null;
  #browser: Browser | null = null;
  #client: Client | null = null;
  readonly #apps = new Set<DesktopApp>();
  readonly #homes = new Homes();

  async open(): Promise<void> {
    this.#browser = await startBrowser();
    this.#client = await chromium.connectOverCDP(this.#browser.address, { timeout: PATIENCE_MS });
    for (const context of this.#client.contexts()) context.setDefaultTimeout(PATIENCE_MS);
  }

  async launch(options: LaunchOptions = {}): Promise<DesktopApp> {
    const home = options.home ?? this.#homes.make();
    const { env } = options;
    const child = fork(main, [], {
      execArgv: ['--disable-warning=ExperimentalWarning', '--import', fileURLToPath(new URL('register.ts', import.meta.url))],
      env: environment(home, { STANDIN_BROWSER: this.#browser?.address ?? '', ...env }),
      // Pipes would be kept open by an engine that outlives it.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const evaluate = this.#evaluator(child, ended);
    const app: DesktopApp = {
      home,
      pid: child.pid ?? 0,
      evaluate,
      ended,
      page: () => this.#page(evaluate),
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
        this.#apps.delete(app);
      },
    };
    this.#apps.add(app);
    return app;
  }

  #evaluator(child: ChildProcess, ended: Promise<number | null>): DesktopApp['evaluate'] {
    let next = 1;
    return async (work, argument) => {
      const id = next++;
      const done = new Promise<Done>((resolve) => {
        const hear = (message: unknown): void => {
          if ((message as Done).id !== id) return;
          child.off('message', hear);
          resolve(message as Done);
        };
        child.on('message', hear);
      });
      const gone = ended.then((code) => {
        throw new Error(`the app has ended with ${code}`);
      });
      if (child.connected) child.send({ id, source: work.toString(), argument }, () => undefined);
      const { ok, value } = await Promise.race([done, gone]);
      if (!ok) throw new Error(String(value));
      return value as never;
    };
  }

  /** Finds the page that the app's window shows. */
  async #page(evaluate: DesktopApp['evaluate']): Promise<Page> {
    for (let attempt = 0; attempt < 600; attempt++) {
      const target = await evaluate(({ BrowserWindow }) => (BrowserWindow.getAllWindows()[0]?.webContents as unknown as { target?: string })?.target ?? '');
      for (const page of this.#client?.contexts().flatMap((context) => context.pages()) ?? []) {
        const session = await page.context().newCDPSession(page).catch(() => null);
        if (session === null) continue;
        const { targetInfo } = await session.send('Target.getTargetInfo');
        await session.detach();
        if (targetInfo.targetId !== target || page.url() === 'about:blank') continue;
        await page.waitForLoadState('load');
        return page;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the app has shown no page');
  }

  async close(): Promise<void> {
    for (const app of [...this.#apps]) await app.kill();
    this.#homes.remove();
    // The browser first: its client would wait for pages that no longer answer.
    await this.#browser?.close();
    await this.#client?.close();
  }
}

/** The installed binary of the electron package; asking the package itself would download it. */
function electronBinary(): string | null {
  const folder = join(root, 'node_modules', 'electron');
  const name = join(folder, 'path.txt');
  const binary = existsSync(name) ? join(folder, 'dist', readFileSync(name, 'utf8')) : null;
  return binary !== null && existsSync(binary) ? binary : null;
}

class RealElectron implements Shell {
  readonly name = 'electron';
  readonly #binary = electronBinary();
  readonly missing = this.#binary === null ? 'no Electron binary' : null;
  readonly #apps = new Set<DesktopApp>();
  readonly #homes = new Homes();

  open(): Promise<void> {
    return Promise.resolve();
  }

  async launch(options: LaunchOptions = {}): Promise<DesktopApp> {
    const home = options.home ?? this.#homes.make();
    const electron = await _electron.launch({
      executablePath: this.#binary ?? '',
      args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), main],
      env: environment(home, options.env),
    });
    const child = electron.process();
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const app: DesktopApp = {
      home,
      pid: child.pid ?? 0,
      ended,
      page: () => electron.firstWindow(),
      evaluate: (work, argument) => electron.evaluate(work as never, argument as never) as Promise<never>,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
        this.#apps.delete(app);
      },
    };
    this.#apps.add(app);
    return app;
  }

  async close(): Promise<void> {
    for (const app of [...this.#apps]) await app.kill();
    this.#homes.remove();
  }
}

/** Both ways, in the order in which they are tried. */
export const shells: readonly (() => Shell)[] = [() => new StandIn(), () => new RealElectron()];
