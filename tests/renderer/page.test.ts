// The first window as a person uses it: from two names to the comparison and a conversation, in both languages.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../main/store/db.ts';
import { RunStore } from '../../main/store/runs.ts';
import { fixture } from '../support/files.ts';
import { finishedRun } from '../support/finished-run.ts';
import { openDoor, type TestDoor } from '../main/serve/open-door.ts';
import { chromiumPath } from '../support/chromium.ts';
import { buildPage, openPage } from './built-page.ts';

/** Where pictures of the page are put, where somebody wants to look at them. */
const pictures = process.env['NAMESAKE_PICTURES'];

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`), fullPage: true });
  }
}

const languages = [
  { locale: 'en-GB', words: { title: 'Who is it?', make: 'Make it', done: 'Ready', open: 'Start talking', before: 'Before', runs: 'Your assistants' } },
  { locale: 'zh-CN', words: { title: '它是谁？', make: '开始制作', done: '已完成', open: '开始对话', before: '训练前', runs: '你的助手' } },
];

/** Opens the page of a home that has the tiny model, and fills the form in. */
async function begin(locale: string): Promise<{ page: Page; troubles: string[]; test: TestDoor }> {
  const test = await openDoor({ page: await buildPage() });
  const model = await test.core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
  const { page, troubles } = await openPage({ locale });
  await page.goto(test.door.newAddress());
  await page.locator('#owner').fill('剑锋');
  await page.locator('#name').fill('小锋 Feng');
  await page.locator('#model').selectOption(model);
  return { page, troubles, test };
}

/** Steps that the loss line shows, by their places from left to right. */
async function drawnSteps(page: Page, steps: number): Promise<number[]> {
  const points = (await page.locator('.loss-line').getAttribute('points')) ?? '';
  return points.split(' ').map((point) => Math.round(((Number(point.split(',')[0]) - 6) / 588) * (steps - 1)) + 1);
}

describe.skipIf(chromiumPath === null)('the page over serve (needs Chromium)', () => {
  it.each(languages)('goes from two names to the comparison and a conversation: $locale', async ({ locale, words }) => {
    const { page, troubles } = await begin(locale);
    await page.getByRole('heading', { name: words.title }).waitFor();
    await page.locator('.preview dd').first().waitFor();
    expect(await page.locator('.preview').innerText()).toContain('小锋 Feng');
    await picture(page, `${locale}-form`);
    await page.getByRole('button', { name: words.make }).click();
    await page.locator('.run .going').waitFor();
    await page.locator('.loss-line').waitFor();
    await picture(page, `${locale}-progress`);
    await page.locator('.badge', { hasText: words.done }).waitFor({ timeout: 240_000 });
    await page.locator('.comparison tbody tr').first().waitFor();
    expect(await page.locator('.comparison thead').innerText()).toContain(words.before);
    expect(await page.locator('.scores tbody tr').count()).toBe(2);

    await page.getByRole('button', { name: words.open }).click();
    await page.locator('#chat-input').fill('Who are you?');
    // The Enter that ends an input method's word sends nothing.
    await page.locator('#chat-input').dispatchEvent('keydown', { key: 'Enter', isComposing: true });
    expect(await page.locator('.log li').count()).toBe(0);
    await page.locator('#chat-input').press('Enter');
    await expect.poll(() => page.locator('.say button.primary').isVisible(), { timeout: 60_000 }).toBe(true);
    const answers = await page.locator('.log .answers p').allInnerTexts();
    expect(answers).toHaveLength(2);
    expect(answers.every((answer) => answer.trim() !== '')).toBe(true);
    await picture(page, `${locale}-result`);

    // The other language, at once and for good; nothing on the page stays behind.
    const other = languages.find((one) => one.locale !== locale)?.words ?? words;
    await page.locator('.switch button[aria-pressed="false"]').click();
    await page.locator('.badge', { hasText: other.done }).waitFor();
    expect(await page.locator('.comparison thead').innerText()).toContain(other.before);
    expect(await page.locator('.log .who').allInnerTexts()).toContain(other.before);
    await page.reload();
    await page.getByRole('heading', { name: other.runs }).waitFor();
    expect(troubles).toEqual([]);
  }, 600_000);

  it('keeps a run in sight over pauses, reloads and a deletion that is taken back', async () => {
    const { page, troubles, test } = await begin('en-GB');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.locator('.loss-line').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('.badge', { hasText: 'Paused' }).waitFor({ timeout: 60_000 });
    await picture(page, 'paused');
    await page.reload();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.locator('.badge', { hasText: 'Going on' }).waitFor({ timeout: 60_000 });
    await page.reload();
    await page.locator('.badge', { hasText: 'Ready' }).waitFor({ timeout: 240_000 });
    const [run] = test.core.runs.list();
    const steps = run?.steps ?? 0;
    expect(await drawnSteps(page, steps)).toEqual(Array.from({ length: run?.step ?? 0 }, (_, i) => i + 1));

    await page.locator('nav.runs').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: 'Who is it?' }).waitFor();
    expect(await page.locator('nav.runs li').count()).toBe(0);
    await picture(page, 'deleted');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.badge', { hasText: 'Ready' }).waitFor();
    expect(await page.locator('nav.runs li').count()).toBe(1);
    expect(troubles).toEqual([]);
  }, 600_000);

  it('asks before a run is thrown away, and says what is wrong in words', async () => {
    const { page, troubles, test } = await begin('en-GB');
    await page.locator('#name').fill('a|b');
    await page.getByRole('button', { name: 'Make it' }).click();
    expect(await page.locator('#name').evaluate((input: HTMLInputElement) => input.validity.valid)).toBe(false);
    expect(test.core.runs.list()).toEqual([]);
    await page.locator('#name').fill('Feng');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.locator('.loss-line').waitFor();
    await page.getByRole('button', { name: 'Throw away' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    expect(await page.getByRole('dialog').count()).toBe(0);
    // A second run has to wait for the first one.
    await page.getByRole('link', { name: 'New assistant' }).click();
    await page.locator('#owner').fill('Ann');
    await page.locator('#name').fill('Bo');
    await page.locator('#model').selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByRole('alert').getByText('Another run is going on').waitFor();
    await picture(page, 'refused');
    await page.locator('nav.runs li a').first().click();
    await expect.poll(() => page.getByRole('alert').innerText()).toBe('');
    await page.getByRole('button', { name: 'Throw away' }).click();
    await picture(page, 'asked');
    await page.getByRole('dialog').getByRole('button', { name: 'Throw away' }).click();
    await page.locator('.badge', { hasText: 'Thrown away' }).waitFor({ timeout: 60_000 });
    expect(troubles).toEqual([]);
  }, 600_000);

  it('gives a question back that was lost with the connection, and asks it once when it is sent again', async () => {
    const test = await openDoor({ page: await buildPage() });
    const db = openDatabase(test.home.database);
    const run = finishedRun(test.home, new RunStore(db));
    db.close();
    const { page } = await openPage({ locale: 'en-GB' });
    let back = Promise.resolve();
    let cut = (): Promise<unknown> => Promise.resolve();
    await page.routeWebSocket(/\/api$/, async (socket) => {
      await back;
      const server = socket.connectToServer();
      cut = () => Promise.all([socket.close({ code: 3000 }), server.close({ code: 3000 })]);
    });
    await page.goto(test.door.newAddress());
    await page.locator(`a[href="#run/${run}"]`).click();
    await page.getByRole('button', { name: 'Start talking' }).click();
    await page.locator('#chat-input').fill('Who are you?');
    let release = (): void => undefined;
    back = new Promise((resolve) => (release = resolve));
    await cut();
    await page.getByText('The connection is lost.').waitFor();
    await page.locator('#chat-input').press('Enter');
    await expect.poll(() => page.locator('#chat-input').inputValue()).toBe('');
    release();
    await expect.poll(() => page.locator('#chat-input').inputValue(), { timeout: 60_000 }).toBe('Who are you?');
    expect(await page.locator('.log li').count()).toBe(0);
    await page.locator('#chat-input').press('Enter');
    await expect.poll(() => page.locator('.say button.primary').isVisible(), { timeout: 60_000 }).toBe(true);
    expect(await page.locator('.log li').count()).toBe(1);
    const [chat] = test.core.chat.list();
    expect((await test.core.chat.reopen(chat?.chat ?? 0)).turns).toHaveLength(1);
  }, 600_000);

  it('says so where the run of an address is gone', async () => {
    const test = await openDoor({ page: await buildPage() });
    const { page, troubles } = await openPage({ locale: 'en-GB' });
    await page.goto(test.door.newAddress());
    await page.getByRole('heading', { name: 'Who is it?' }).waitFor();
    await page.goto(`${page.url().split('#')[0] ?? ''}#run/20200101-000000-abcdef`);
    await page.waitForURL(/#new$/);
    await page.getByRole('heading', { name: 'Who is it?' }).waitFor();
    await page.waitForTimeout(300);
    expect(await page.getByRole('alert').innerText()).toContain('20200101-000000-abcdef');
    expect(troubles).toEqual([]);
  }, 600_000);

  it('says that the connection is lost, and when it is back under a door that no longer knows this browser', async () => {
    const { page, test } = await begin('en-GB');
    await test.door.close();
    await page.getByText('The connection is lost.').waitFor();
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByRole('alert').getByText('The connection to the program broke').waitFor();
    await picture(page, 'lost');
    await openDoor({ port: test.door.port });
    await page.getByText('This window is not signed in').waitFor({ timeout: 60_000 });
  }, 600_000);
});
