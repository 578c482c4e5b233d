// The page as it is built, in a real browser, with what it complains about.
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import config from '../../electron.vite.config.ts';
import { startChromium } from '../support/chromium.ts';
import { root, temporaryFolder } from '../support/files.ts';

/** Builds the page into a folder that goes with the test. */
export async function buildPage(): Promise<string> {
  const folder = join(temporaryFolder(), 'renderer');
  const { renderer } = config;
  await build({
    ...renderer,
    configFile: false,
    root: join(root, 'renderer'),
    base: './',
    logLevel: 'error',
    build: { ...renderer?.build, outDir: folder, rolldownOptions: { input: join(root, 'renderer', 'index.html') } },
  });
  return folder;
}

export interface WatchedPage {
  page: Page;
  /** What the page complained about: errors, broken policies, failed requests. */
  troubles: string[];
}

/** A page in a browser of its own, for the length of the test. */
export async function openPage(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await startChromium({ viewport: { width: 1200, height: 900 }, ...options });
  // Before its first step a run asks the base model, which a busy machine takes its time for.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  return { page, troubles };
}
