// Pictures of every screen in every language and look, at two sizes, of a home that has everything: `npm run pictures`.
//
//   npm run pictures [-- --out DIR] [--home DIR] [--only WORD] [--lang en,zh] [--theme light,dark,contrast] [--size 1440x900,900x600]
//   npm run pictures -- --record the way from two names to a comparison, as docs/journey.webm
//
// --home takes the pictures in a copy of that home instead, of what it has.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import type { RunStatus } from '../../shared/run.ts';
import { launchChromium } from '../support/chromium.ts';
import { defaultModel } from '../support/default-model.ts';
import type { Client } from '../support/door-client.ts';
import { root } from '../support/files.ts';
import { fullHome, type FullHome } from '../support/full-home.ts';
import { places, standsStill, type PlaceToSee } from '../support/full-page.ts';
import { Screens } from '../support/screens.ts';
import { ServedProgram } from '../support/served-program.ts';
import { watchTroubles } from '../support/troubles.ts';
import { record } from './record.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'test-results', 'pictures') },
    home: { type: 'string' },
    only: { type: 'string', default: '' },
    lang: { type: 'string', default: 'en,zh' },
    theme: { type: 'string', default: 'light,dark,contrast' },
    size: { type: 'string', default: '1440x900,900x600' },
    program: { type: 'string', default: join(root, 'out', 'main', 'cli.js') },
    record: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** The default model in a home without a copy of it, where this machine has it: the form then looks as it does for most. */
function lendModel(home: string): void {
  if (!existsSync(defaultModel)) return;
  const folder = join(home, 'models', basename(dirname(defaultModel)));
  mkdirSync(folder, { recursive: true });
  symlinkSync(defaultModel, join(folder, basename(defaultModel)));
}

/** What a person's own home has of what a full one has. */
async function homeOf(folder: string, window: Client): Promise<FullHome> {
  const list = await window.request('runs.list', {});
  const found = (...statuses: RunStatus[]): string => list.find(({ status }) => statuses.includes(status))?.run ?? '';
  const done = found('done');
  const { draft } = done === '' ? { draft: '' } : await window.request('drafts.from_run', { run: done });
  return {
    ...{ folder, draft, model: '', chat: (await window.request('chats.list', {}))[0]?.chat ?? 0 },
    runs: {
      ...{ done, paused: found('paused'), stopped: found('stopped'), interrupted: found('interrupted'), failed: found('failed'), cancelled: found('cancelled') },
      second: list.find(({ run, status }) => status === 'done' && run !== done)?.run ?? '',
    },
  };
}

async function take(page: Page, window: Client, base: string, home: FullHome, place: PlaceToSee): Promise<void> {
  const hash = place.hash(home);
  if (hash.includes('//') || (place.name === 'conversations' && home.chat === 0)) return;
  await window.request('settings.set', { language: 'en', theme: 'light' });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(base + hash);
  await standsStill(page);
  await place.then?.(new Screens(page, 'en'));
  await standsStill(page);
  for (const language of values.lang.split(',') as ('en' | 'zh')[]) {
    await window.request('settings.set', { language });
    for (const theme of values.theme.split(',') as ('light' | 'dark' | 'contrast')[]) {
      await window.request('settings.set', { theme });
      for (const size of values.size.split(',')) {
        const [width = 1440, height = 900] = size.split('x').map(Number);
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(150);
        const path = join(resolve(values.out), `${place.name.replaceAll(' ', '-')}-${language}-${theme}-${size}.png`);
        await page.screenshot({ path });
        say(path);
      }
    }
  }
}

async function pictures(served: ServedProgram, window: Client, home: FullHome): Promise<void> {
  mkdirSync(values.out, { recursive: true });
  const browser = await launchChromium();
  try {
    const page = await (await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce' })).newPage();
    const troubles = watchTroubles(page);
    await page.goto(await served.newAddress());
    const base = page.url().split('#')[0] ?? '';
    for (const place of places.filter(({ name }) => name.includes(values.only))) await take(page, window, base, home, place);
    const going = home.runs.paused;
    if (going !== '' && 'train going'.includes(values.only)) {
      await window.request('runs.resume', { run: going });
      await take(page, window, base, home, { name: 'train going', hash: () => `#run/${going}/train` });
      await window.request('runs.pause', { run: going });
    }
    if (troubles.length > 0) throw new Error(`the page complained: ${troubles.join('\n')}`);
  } finally {
    await browser.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'namesake-pictures-'));
try {
  if (values.record) await record(values.program, say);
  else {
    if (values.home !== undefined) cpSync(resolve(values.home), folder, { recursive: true });
    const made = values.home === undefined ? await fullHome(folder) : null;
    if (made !== null) lendModel(folder);
    const served = await ServedProgram.start(folder, resolve(values.program));
    const window = await served.window();
    try {
      await pictures(served, window, made ?? (await homeOf(folder, window)));
    } finally {
      await served.end();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
