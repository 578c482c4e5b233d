// Every screen, look and language as axe-core sees it: nothing that keeps people from using it.
import axe from 'axe-core';
import type { RunOptions } from 'axe-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { languages } from '../../shared/persona.ts';
import { chromiumPath } from '../support/chromium.ts';
import { openFullPage, places, standsStill, unfold, type FullPage } from '../support/full-page.ts';
import { buildPage } from './built-page.ts';

const themes = ['light', 'dark', 'contrast'] as const;
/** The rules that hang on the look; all others find the same in each. */
const ofColours = ['color-contrast', 'link-in-text-block'];

describe.skipIf(chromiumPath === null)('the page for everyone (needs Chromium)', () => {
  let full: FullPage;

  beforeAll(async () => {
    full = await openFullPage(await buildPage());
    await full.page.evaluate(axe.source);
  }, 120_000);
  afterAll(() => full.close());

  /** What axe-core finds that is serious or critical, in words. */
  const violations = (rules: readonly string[] | null = null): Promise<string[]> =>
    full.page.evaluate(async (rules) => {
      const run = (globalThis as unknown as { axe: { run(context: Document, options: RunOptions): Promise<axe.AxeResults> } }).axe;
      const { violations } = await run.run(document, { resultTypes: ['violations'], ...(rules && { runOnly: { type: 'rule', values: [...rules] } }) });
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary?.split('\n').slice(1).join(' ') ?? ''}`));
    }, rules);

  it('would be found out', async () => {
    await full.go('#settings');
    await full.page.evaluate(() => document.querySelector('main')?.insertAdjacentHTML('beforeend', '<div id="bad"><button></button><img src="x.svg"></div>'));
    const found = (await violations()).map((violation) => violation.split(':')[0]);
    await full.page.evaluate(() => document.querySelector('#bad')?.remove());
    expect(found.sort()).toEqual(['button-name', 'image-alt']);
    full.troubles.splice(0);
  });

  it.each(places)('keeps nobody out: $name', async ({ hash, then }) => {
    await full.ask('settings.set', { language: 'en', theme: 'light' });
    await full.go(hash(full.home));
    await then?.(full.screens);
    await unfold(full.page);
    const found: string[] = [];
    for (const language of languages) {
      await full.ask('settings.set', { language });
      await standsStill(full.page);
      for (const theme of themes) {
        await full.ask('settings.set', { theme });
        await expect.poll(() => full.page.evaluate(() => `${document.documentElement.lang} ${document.documentElement.dataset['theme']}`)).toBe(`${language === 'zh' ? 'zh-CN' : 'en'} ${theme}`);
        for (const violation of await violations(theme === 'light' ? null : ofColours)) found.push(`${language} ${theme}: ${violation}`);
      }
    }
    expect(found).toEqual([]);
    expect(full.troubles.splice(0)).toEqual([]);
  });
});
