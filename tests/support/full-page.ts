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
import { Screens } from './screens.ts';
import { watchTroubles } from './troubles.ts';

export interface FullPage {
  page: Page;
  /** The page in English. */
  screens: Screens;
  home: FullHome;
  /** What the page complained about since it was asked last. */
  troubles: string[];
  /** A request past the page. */
  ask<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>>;
  /** Shows a place of the page and waits until it stands still. */
  go(hash: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the built page of `folder` over a full home; the caller closes it. `marked`: its words stand in brackets. */
export async function openFullPage(folder: string, { marked = false } = {}): Promise<FullPage> {
  const place = mkdtempSync(join(tmpdir(), 'namesake-full-'));
  const home = await fullHome(place);
  const core = createCore(new Home(place), { compute: { threads: 1, isa: 'auto' } });
  const api = new Api(core, serveDoor(core));
  const door = await openBrowserDoor({ api, core, page: folder, host: '127.0.0.1', port: 0, tls: null, language: 'en' });
  const browser = await launchChromium();
  const page = await (await browser.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })).newPage();
  page.setDefaultTimeout(20_000);
  const troubles = watchTroubles(page);
  await page.goto(door.newAddress());
  const base = page.url().split('#')[0] ?? '';
  return {
    page,
    screens: new Screens(page, 'en', { marked }),
    home,
    troubles,
    ask: async (name, input) => {
      const reply = await api.request(name, input);
      if (!reply.ok) throw new Error(`${name}: ${JSON.stringify(reply.error)}`);
      return reply.result as never;
    },
    go: async (hash) => {
      // Somewhere else first, and seen there, lest the page take both for one change: what a visit before this one opened is closed then.
      await page.goto(`${base}#settings`);
      await page.locator('header button[aria-current="page"]').waitFor();
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

/** Opens everything that is one click below. */
export async function unfold(page: Page): Promise<void> {
  await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
  await standsStill(page);
}

export interface PlaceToSee {
  name: string;
  hash: (home: FullHome) => string;
  /** What a person does there first, to see what is not shown at once. */
  then?: (screens: Screens) => Promise<void>;
}

/** Goes on with the last conversation of an assistant. */
export async function openConversation(screens: Screens): Promise<void> {
  await screens.countedButton('compare.conversations').click();
  const dialog = screens.page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByRole('listitem').first().getByRole('button').first().click();
  await screens.heading('compare.yours').waitFor();
}

/** Every screen, for everything that it can be about, and what opens over it. */
export const places: readonly PlaceToSee[] = [
  { name: 'name', hash: () => '#new' },
  {
    name: 'name filled in',
    hash: () => '#new',
    then: async (screens) => {
      await screens.name('剑锋大佬', '小锋');
      await screens.page.getByRole('region', { name: screens.say('name.preview') }).getByText('小锋').first().waitFor();
    },
  },
  {
    name: 'name wrong',
    hash: () => '#new',
    then: async (screens) => {
      await screens.name('a|b', '');
      await screens.button('name.make').click();
    },
  },
  {
    name: 'model picker',
    hash: () => '#new',
    then: async (screens) => {
      await screens.button('name.change').click();
      await screens.page.getByRole('dialog').getByRole('listitem').first().waitFor();
    },
  },
  { name: 'name of a draft', hash: ({ draft }) => `#draft/${draft}/name` },
  { name: 'name of a run', hash: ({ runs }) => `#run/${runs.done}/name` },
  { name: 'learn', hash: ({ draft }) => `#draft/${draft}/learn` },
  {
    name: 'learn row',
    hash: ({ draft }) => `#draft/${draft}/learn`,
    then: async (screens) => {
      await screens.page.getByRole('grid').getByRole('row').nth(2).click();
      await screens.heading('learn.life_tokens').waitFor();
    },
  },
  {
    name: 'learn edit',
    hash: ({ draft }) => `#draft/${draft}/learn`,
    then: async (screens) => {
      await screens.page.getByRole('grid').getByRole('row').nth(1).click();
      await screens.page.keyboard.press('Enter');
      await screens.button('learn.save').waitFor();
    },
  },
  { name: 'learn of a run', hash: ({ runs }) => `#run/${runs.done}/learn` },
  {
    name: 'train before',
    hash: ({ draft }) => `#draft/${draft}/train`,
    then: (screens) => screens.page.getByText(screens.like('train.memory_line', 'needs', 'free')).waitFor(),
  },
  { name: 'train done', hash: ({ runs }) => `#run/${runs.done}/train` },
  {
    name: 'train questions',
    hash: ({ runs }) => `#run/${runs.done}/train`,
    then: async (screens) => {
      await screens.page.getByRole('button', { name: screens.say('score.knows') }).first().click();
      await screens.page.getByRole('dialog').waitFor();
    },
  },
  { name: 'train paused', hash: ({ runs }) => `#run/${runs.paused}/train` },
  { name: 'train stopped', hash: ({ runs }) => `#run/${runs.stopped}/train` },
  { name: 'train interrupted', hash: ({ runs }) => `#run/${runs.interrupted}/train` },
  { name: 'train failed', hash: ({ runs }) => `#run/${runs.failed}/train` },
  { name: 'train cancelled', hash: ({ runs }) => `#run/${runs.cancelled}/train` },
  { name: 'compare', hash: ({ runs }) => `#run/${runs.done}/compare` },
  { name: 'compare not right', hash: ({ runs }) => `#run/${runs.second}/compare` },
  { name: 'compare nothing', hash: ({ runs }) => `#run/${runs.paused}/compare` },
  {
    name: 'conversations',
    hash: ({ runs }) => `#run/${runs.done}/compare`,
    then: async (screens) => {
      await screens.countedButton('compare.conversations').click();
      await screens.page.getByRole('dialog').waitFor();
    },
  },
  { name: 'compare talked', hash: ({ runs }) => `#run/${runs.done}/compare`, then: openConversation },
  { name: 'take home', hash: ({ runs }) => `#run/${runs.done}/take-home` },
  { name: 'take home made', hash: ({ runs }) => `#run/${runs.done}/take-home`, then: (screens) => screens.takeHome() },
  { name: 'assistants', hash: () => '#assistants' },
  {
    name: 'side by side',
    hash: () => '#assistants',
    then: async (screens) => {
      const choices = screens.page.getByRole('main').getByRole('row').getByRole('checkbox');
      for (const i of [1, 3]) await choices.nth(i).check();
      await screens.button('assistants.compare_two').click();
      await screens.heading('assistants.curves').waitFor();
    },
  },
  { name: 'settings', hash: () => '#settings' },
  { name: 'gone', hash: () => '#run/20200101-000000-abcdef/train' },
];
