// A browser door on a home of its own, in this process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Api } from '../../../main/api/api.ts';
import { createCore, type Core } from '../../../main/core.ts';
import { Home } from '../../../main/home.ts';
import { openBrowserDoor, type BrowserDoor, type BrowserDoorOptions } from '../../../main/serve/door.ts';
import { serveDoor } from '../../../main/serve/serve-door.ts';
import { ask, Client, sessionOf, type Answer, type Ask } from '../../support/door-client.ts';
import { temporaryFolder } from '../../support/files.ts';

/** A line of the home's log. */
export interface LogLine {
  msg: string;
  code?: string;
  reason?: string;
  who?: string;
  times?: number;
  request?: string;
}

export interface TestDoor {
  door: BrowserDoor;
  core: Core;
  api: Api;
  home: Home;
  ask(ask: Ask): Promise<Answer>;
  /** The cookie of a new session, as a browser sends it. */
  signIn(): Promise<string>;
  /** An open window's socket. */
  window(cookie: string): Promise<Client>;
  /** The log's lines so far. */
  log(): LogLine[];
}

/** A built page of a few files. */
export function smallPage(): string {
  const folder = join(temporaryFolder(), 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><title>page</title><script src="./assets/index-abc123.js"></script>');
  writeFileSync(join(folder, 'assets', 'index-abc123.js'), 'document.title = "ran";');
  writeFileSync(join(folder, '.secret'), 'hidden');
  writeFileSync(join(folder, '..', 'secret.txt'), 'outside');
  return folder;
}

/** Opens a door for the length of a test. */
export async function openDoor(options: Partial<BrowserDoorOptions> = {}): Promise<TestDoor> {
  const home = new Home(temporaryFolder());
  const core = createCore(home, { compute: { threads: 1, isa: 'auto' } });
  const api = new Api(core, serveDoor(core));
  const door = await openBrowserDoor({
    api,
    core,
    page: smallPage(),
    host: '127.0.0.1',
    port: 0,
    tls: null,
    language: 'en',
    ...options,
  });
  onTestFinished(async () => {
    await door.close();
    await api.close();
    core.close();
  });
  const own = (request: Ask): Promise<Answer> => ask(door.port, request);
  return {
    door,
    core,
    api,
    home,
    ask: own,
    signIn: async () => {
      const { pathname, search } = new URL(door.newAddress());
      return sessionOf(await own({ path: pathname + search })).cookie;
    },
    window: async (cookie) => {
      const client = new Client(door.port, { cookie });
      const status = await client.opened();
      if (status !== 101) throw new Error(`status ${status}`);
      return client;
    },
    log: () => {
      try {
        return readFileSync(join(home.logs, 'namesake.log'), 'utf8')
          .split('\n')
          .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogLine]));
      } catch {
        return [];
      }
    },
  };
}
