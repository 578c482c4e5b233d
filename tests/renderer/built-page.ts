// The page as it is built, in a real browser, with what it complains about.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { build, type Plugin } from 'vite';
import { onTestFinished } from 'vitest';
import config from '../../electron.vite.config.ts';
import { startChromium } from '../support/chromium.ts';
import { root } from '../support/files.ts';
import { watchTroubles } from '../support/troubles.ts';

const built = new Map<boolean, Promise<string>>();

/**
 * The built page's folder: built once for all tests of a file, and removed with their process. With `marked` all words of the
 * catalogue stand in ⟦brackets⟧.
 */
export function buildPage({ marked = false } = {}): Promise<string> {
  const found = built.get(marked) ?? bundle(marked);
  built.set(marked, found);
  return found;
}

async function bundle(marked: boolean): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'namesake-page-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const { renderer } = config;
  await build({
    ...renderer,
    configFile: false,
    root: join(root, 'renderer'),
    base: './',
    logLevel: 'error',
    plugins: [...(marked ? [markWords] : []), renderer?.plugins],
    build: { ...renderer?.build, outDir: folder, rolldownOptions: { input: join(root, 'renderer', 'index.html') } },
  });
  return folder;
}

/** Puts every message of the catalogue into brackets; its placeholders stay. */
const markWords: Plugin = {
  name: 'mark-words',
  enforce: 'pre',
  transform(code, id) {
    const language = /shared\/i18n\/(en|zh)\.ts$/.exec(id.replaceAll('\\', '/'))?.[1];
    if (language === undefined) return null;
    const found = new RegExp(`export const ${language}\\b`);
    if (!found.test(code)) throw new Error(`no words in ${id}`);
    return `${code.replace(found, 'const plain')}
export const ${language} = Object.fromEntries(Object.entries(plain).map(([key, words]) => [key, '⟦' + words + '⟧'])) as unknown as typeof plain;
`;
  },
};

export interface WatchedPage {
  page: Page;
  /** What the page complained about. */
  troubles: string[];
}

/** A page in a browser of its own, for the length of the test, which fails where the page complained of anything that it does not expect. */
export async function openPage(options: BrowserContextOptions & { expected?: RegExp } = {}): Promise<WatchedPage> {
  const { expected, ...context } = options;
  const browser = await startChromium({ viewport: { width: 1200, height: 900 }, ...context });
  // Before its first step a run asks the base model, which a busy machine takes its time for.
  browser.setDefaultTimeout(60_000);
  const page = await browser.newPage();
  const troubles = watchTroubles(page);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') await page.screenshot({ path: join(root, 'test-results', `${task.name.replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80)}.png`) });
    const unexpected = troubles.filter((trouble) => expected?.test(trouble) !== true);
    if (unexpected.length > 0) throw new Error(`the page complained: ${unexpected.join('\n')}`);
  });
  return { page, troubles };
}
