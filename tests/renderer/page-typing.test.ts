// Typing with an input method: as long as it puts characters together its Enter is its own, and sends, submits or renames nothing.
import type { CDPSession, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { openFullPage, type FullPage } from '../support/full-page.ts';
import { buildPage } from './built-page.ts';

describe.skipIf(chromiumPath === null)('an input method in the page (needs Chromium)', () => {
  let full: FullPage;
  let session: CDPSession;

  beforeAll(async () => {
    full = await openFullPage(await buildPage());
    session = await full.page.context().newCDPSession(full.page);
    // Whether the page was told of a composition, and of keys within it.
    await full.page.evaluate(() => {
      const heard: string[] = [];
      Object.assign(globalThis, { heard });
      addEventListener('compositionstart', () => heard.push('start'), true);
      addEventListener('keydown', ({ key, keyCode, isComposing }) => heard.push(`${key} ${keyCode} ${isComposing}`), true);
    });
  }, 120_000);
  afterAll(() => full.close());

  /** Types pinyin, ends it with Enter as input methods do in Chrome and in Safari, and puts `words` in its place. */
  async function compose(field: Locator, words: string): Promise<void> {
    await field.focus();
    await full.page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard.splice(0));
    await session.send('Input.imeSetComposition', { text: 'ni hao', selectionStart: 6, selectionEnd: 6 });
    // Chrome says that the key belongs to the input method; Safari sends its own number after the composition has ended.
    await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 });
    await session.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 });
    await session.send('Input.insertText', { text: words });
    await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 });
    await session.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 });
    const heard = await full.page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard.splice(0));
    expect(heard).toEqual(['start', 'Enter 13 true', 'Enter 229 false']);
    expect(await field.inputValue()).toContain(words);
  }

  it('asks nobody in the comparison until it is sent', async () => {
    const { screens, home } = full;
    await full.go(`#run/${home.runs.done}/compare`);
    const input = screens.field('compare.input');
    await input.fill('');
    await compose(input, '你好，你是谁呀');
    await full.page.waitForTimeout(300);
    expect(await screens.turn('你好，你是谁呀').count()).toBe(0);
    expect(await input.inputValue()).toBe('你好，你是谁呀');
    await input.press('Enter');
    expect(await screens.answered('你好，你是谁呀')).toHaveLength(2);
  });

  it('makes no assistant of a name that is being typed', async () => {
    const { screens, page } = full;
    const runs = (await full.ask('runs.list', {})).length;
    await full.go('#new');
    await screens.field('name.owner').fill('剑锋');
    await compose(screens.field('name.name'), '小锋');
    await compose(screens.field('name.owner'), '大佬');
    await page.waitForTimeout(300);
    expect(page.url()).toMatch(/#new$/);
    expect(await full.ask('runs.list', {})).toHaveLength(runs);
    expect(await full.ask('drafts.list', {})).toHaveLength(1);
  });

  it('renames nothing before its end', async () => {
    const { screens, page, home } = full;
    await full.go('#assistants');
    await screens.act('Owl', 'assistants.rename');
    const field = page.getByRole('textbox', { name: screens.say('assistants.new_name', { name: 'Owl' }) });
    await field.waitFor();
    await expect.poll(() => field.evaluate((input) => input === document.activeElement)).toBe(true);
    await compose(field, '猫头鹰');
    expect((await full.ask('runs.get', { run: home.runs.interrupted })).name).toBe('Owl');
    await field.press('Enter');
    await expect.poll(async () => (await full.ask('runs.get', { run: home.runs.interrupted })).name).toContain('猫头鹰');
    expect(full.troubles.splice(0)).toEqual([]);
  });

  it('closes no dialog with the Escape that gives up what was put together', async () => {
    const { screens, page } = full;
    await full.go('#settings');
    await page.getByRole('button', { name: screens.say('settings.wipe_button') }).click();
    const dialog = page.getByRole('dialog');
    const field = dialog.getByRole('textbox');
    await field.focus();
    await session.send('Input.imeSetComposition', { text: 'shan', selectionStart: 4, selectionEnd: 4 });
    await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Escape', code: 'Escape', windowsVirtualKeyCode: 27 });
    await session.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'Escape', code: 'Escape', windowsVirtualKeyCode: 27 });
    await page.waitForTimeout(300);
    expect(await dialog.count()).toBe(1);
    await session.send('Input.imeSetComposition', { text: '', selectionStart: 0, selectionEnd: 0 });
    await field.press('Escape');
    await expect.poll(() => dialog.count()).toBe(0);
  });
});
