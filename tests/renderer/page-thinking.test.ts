// What a model thought before an answer: folded away, opened by keyboard, and no part of what is copied.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { thought } from '../support/full-home.ts';
import { openConversation, openFullPage, type FullPage } from '../support/full-page.ts';
import { buildPage } from './built-page.ts';

describe.skipIf(chromiumPath === null)('thinking (needs Chromium)', () => {
  let full: FullPage;

  beforeAll(async () => {
    full = await openFullPage(await buildPage());
  }, 120_000);
  afterAll(() => full.close());

  it.each(['en', 'zh'] as const)('is folded, and opens by keyboard (%s)', async (language) => {
    await full.ask('settings.set', { language: 'en' });
    await full.go(`#run/${full.home.runs.done}/compare`);
    await openConversation(full.screens);
    await full.ask('settings.set', { language });
    const turn = full.page.getByRole('article').last();
    const folded = turn.locator('details');
    await expect.poll(() => folded.count()).toBe(2);
    await expect.poll(() => folded.first().locator('summary').textContent()).toContain(language === 'en' ? 'What it thought first' : '思考过程');
    expect(await turn.getByText(thought).first().isVisible()).toBe(false);
    // What the base said is all thinking; what the assistant said comes after it.
    await expect.poll(() => turn.textContent()).toContain(language === 'en' ? 'It did not get beyond thinking.' : '只想了想，还没有说出回答。');
    expect(await turn.textContent()).not.toContain('<think>');
    await folded.last().locator('summary').focus();
    await full.page.keyboard.press('Enter');
    await turn.getByText(thought).last().waitFor();
  });

  it('is not copied with the answer', async () => {
    await full.ask('settings.set', { language: 'en' });
    await full.go(`#run/${full.home.runs.done}/compare`);
    await openConversation(full.screens);
    await full.page.evaluate(() => {
      navigator.clipboard.writeText = (text) => {
        document.documentElement.dataset['copied'] = text;
        return Promise.resolve();
      };
    });
    const turn = full.page.getByRole('article').last();
    const copy = turn.getByRole('button', { name: full.screens.say('compare.copy_answer') });
    // Only one of both answers has words to be copied.
    expect(await copy.count()).toBe(1);
    await copy.focus();
    await copy.press('Enter');
    await expect.poll(() => full.page.evaluate(() => document.documentElement.dataset['copied'] ?? '')).not.toBe('');
    const copied = await full.page.evaluate(() => document.documentElement.dataset['copied'] ?? '');
    expect(copied).not.toContain('think');
    expect(copied).not.toContain(thought);
    expect(full.troubles.splice(0)).toEqual([]);
  });
});
