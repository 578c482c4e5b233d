// The page over a full home, in one browser for several tests: every place of it, in every look and language.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Api } from '../../main/api/api.ts';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { openBrowserDoor } from '../../main/serve/door.ts';
import { serveDoor } from '../../main/serve/serve-door.ts';
import type { RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import { launchChromium } from './chromium.ts';
import { fullHome, type FullHome } from './full-home.ts';
import { watchTroubles } from './troubles.ts';

export interface FullPage {
  page: Page;
  home: FullHome;
  /** What the page complained about since it was asked last. */
  troubles: string[];
  /** A request past the page. */
  ask<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>>;
  /** Shows a place of the page and waits until it stands still. */
  go(hash: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the built page of `folder` over a full home; the caller closes it. */
export async function openFullPage(folder: string): Promise<FullPage> {
  const place = mkdtempSync(join(tmpdir(), 'namesake-full-'));
  const home = await fullHome(place);
  const core = createCore(new Home(place), { compute: { threads: 1, isa: 'auto' } });
  const api = new Api(core, serveDoor(core));
  const door = await openBrowserDoor({ api, core, page: folder, host: '127.0.0.1', port: 0, tls: null, language: 'en' });
  const browser = await launchChromium();
  const page = await (await browser.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })).newPage();
  const troubles = watchTroubles(page);
  await page.goto(door.newAddress());
  const base = page.url().split('#')[0] ?? '';
  return {
    page,
    home,
    troubles,
    ask: async (name, input) => {
      const reply = await api.request(name, input);
      if (!reply.ok) throw new Error(`${name}: ${JSON.stringify(reply.error)}`);
      return reply.result as never;
    },
    go: async (hash) => {
      await page.goto(base + hash);
      await standsStill(page);
    },
    close: async () => {
      await browser.close();
      await door.close();
      await api.close();
      core.close();
      rmSync(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** Waits until the page's text is the same for a moment and nothing is on its way; one that never is, is taken as it is then. */
export async function standsStill(page: Page, patience = 4000): Promise<void> {
  let last = '';
  let since = Date.now();
  for (const end = Date.now() + patience; Date.now() < end && Date.now() - since < 250; ) {
    const now = await page.evaluate(() => (document.querySelector('main .loading') === null ? document.body.innerText : String(Math.random())));
    if (now !== last) [last, since] = [now, Date.now()];
    await page.waitForTimeout(50);
  }
}

export interface PlaceToSee {
  name: string;
  hash: (home: FullHome) => string;
  /** What a person does there first, to see what is not shown at once. */
  then?: (page: Page) => Promise<void>;
}

/** Every screen, for everything that it can be about. */
export const places: readonly PlaceToSee[] = [
  { name: 'name', hash: () => '#new' },
  { name: 'name of a draft', hash: ({ draft }) => `#draft/${draft}/name` },
  { name: 'name of a run', hash: ({ runs }) => `#run/${runs.done}/name` },
  { name: 'learn', hash: ({ draft }) => `#draft/${draft}/learn` },
  { name: 'learn of a run', hash: ({ runs }) => `#run/${runs.done}/learn` },
  { name: 'train before', hash: ({ draft }) => `#draft/${draft}/train` },
  { name: 'train done', hash: ({ runs }) => `#run/${runs.done}/train` },
  { name: 'train paused', hash: ({ runs }) => `#run/${runs.paused}/train` },
  { name: 'train stopped', hash: ({ runs }) => `#run/${runs.stopped}/train` },
  { name: 'train interrupted', hash: ({ runs }) => `#run/${runs.interrupted}/train` },
  { name: 'train failed', hash: ({ runs }) => `#run/${runs.failed}/train` },
  { name: 'train cancelled', hash: ({ runs }) => `#run/${runs.cancelled}/train` },
  { name: 'compare', hash: ({ runs }) => `#run/${runs.done}/compare` },
  { name: 'compare not right', hash: ({ runs }) => `#run/${runs.second}/compare` },
  { name: 'take home', hash: ({ runs }) => `#run/${runs.done}/take-home` },
  { name: 'assistants', hash: () => '#assistants' },
  { name: 'settings', hash: () => '#settings' },
];
