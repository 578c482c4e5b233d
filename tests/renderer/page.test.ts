// The page over serve as a person uses it: from two names to the comparison and a conversation, in both languages; and what it
// says when something goes wrong.
import { describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../main/store/db.ts';
import { RunStore } from '../../main/store/runs.ts';
import type { Language } from '../../shared/persona.ts';
import { chromiumPath } from '../support/chromium.ts';
import { finishedRun } from '../support/finished-run.ts';
import { fixture } from '../support/files.ts';
import { Screens } from '../support/screens.ts';
import { openDoor, type TestDoor } from '../main/serve/open-door.ts';
import { buildPage, openPage } from './built-page.ts';

const locales: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' };

/** Opens the page of a home that has the tiny model, and fills the form in. */
async function begin(language: Language, expected?: RegExp): Promise<{ page: Page; screens: Screens; test: TestDoor }> {
  const test = await openDoor({ page: await buildPage() });
  await test.core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
  const { page } = await openPage({ locale: locales[language], ...(expected && { expected }) });
  await page.goto(test.door.newAddress());
  const screens = new Screens(page, language);
  await screens.name('剑锋', '小锋 Feng');
  await screens.takeModel('tiny-llama.gguf');
  return { page, screens, test };
}

describe.skipIf(chromiumPath === null)('the page over serve (needs Chromium)', () => {
  it.each(['en', 'zh'] as const)('goes from two names to the comparison and a conversation: %s', async (language) => {
    const { page, screens } = await begin(language);
    await screens.heading('name.title').waitFor();
    await page.getByRole('region', { name: screens.say('name.preview') }).getByText('小锋 Feng').first().waitFor();
    await screens.make();
    await page.getByRole('button', { name: screens.say('run.pause') }).waitFor();
    await screens.training();
    await screens.compared();
    expect(await page.getByRole('main').innerText()).toContain(screens.say('result.before'));

    const input = screens.field('compare.input');
    await input.fill('Who are you today?');
    // The Enter that ends an input method's word sends nothing.
    await input.dispatchEvent('keydown', { key: 'Enter', isComposing: true });
    expect(await screens.turn('Who are you today?').count()).toBe(0);
    await input.press('Enter');
    const answers = await screens.answered('Who are you today?');
    expect(answers).toHaveLength(2);
    expect(answers.every((answer) => answer.trim() !== '')).toBe(true);

    // The other language, at once and for good; nothing on the page stays behind.
    const other = new Screens(page, language === 'en' ? 'zh' : 'en');
    await page.getByRole('group', { name: screens.say('page.language') }).getByRole('button', { pressed: false }).click();
    await other.heading('result.before').waitFor();
    expect(await page.getByRole('main').innerText()).toContain(other.say('result.before'));
    expect(await page.getByRole('main').innerText()).not.toContain(screens.say('result.before'));
    await page.reload();
    await other.heading('result.before').waitFor();
    await other.list.waitFor();
  }, 600_000);

  it('keeps a run in sight over pauses, reloads and a deletion that is taken back', async () => {
    const { page, screens, test } = await begin('en');
    await screens.make();
    await screens.training();
    await screens.button('run.pause').click();
    await screens.state('badge.paused').waitFor();
    await page.reload();
    await screens.button('train.act_resume').click();
    await screens.state('badge.running').waitFor();
    await page.reload();
    await screens.compared();
    await screens.step('train').click();
    // Every step once, in order, to the last one.
    await screens.button('chart.as_table').click();
    const [run] = test.core.runs.list();
    const shown = await page.getByRole('region', { name: screens.say('run.loss') }).getByRole('rowheader').allInnerTexts();
    const steps = shown.map((text) => Number.parseInt(text, 10));
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(steps[0]).toBe(1);
    expect(steps.at(-1)).toBe(run?.step);

    await screens.link('sidebar.all').click();
    await screens.act('小锋 Feng', 'run.delete');
    await expect.poll(() => screens.list.getByRole('listitem').count()).toBe(0);
    await page.getByRole('region', { name: screens.say('notices.label') }).getByRole('button', { name: screens.say('run.undo') }).click();
    await expect.poll(() => screens.list.getByRole('listitem').count()).toBe(1);
  }, 600_000);

  it('asks before a run is thrown away, and says what is wrong in words', async () => {
    const { page, screens, test } = await begin('en');
    // A run that goes on until it is thrown away, however fast the machine is.
    const create = test.core.drafts.create.bind(test.core.drafts);
    test.core.drafts.create = (input) => create({ ...input, steps: 100_000 });
    await screens.field('name.name').fill('a|b');
    await screens.button('name.make').click();
    await screens.words('name.wrong_name_characters').waitFor();
    expect(await screens.field('name.name').getAttribute('aria-invalid')).toBe('true');
    expect(await screens.field('name.name').evaluate((input) => input === document.activeElement)).toBe(true);
    expect(test.core.runs.list()).toEqual([]);
    await screens.field('name.name').fill('Feng');
    await screens.make();
    await screens.training();
    await screens.button('run.cancel').click();
    await screens.button('run.keep_going').click();
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    // A second run has to wait for the first one.
    await screens.link('page.new').click();
    await screens.name('Ann', 'Bo');
    await screens.button('name.make').click();
    await page.getByRole('alert').getByText(screens.like('error.engine.busy', 'detail')).waitFor();
    await screens.list.getByRole('listitem').getByRole('link').first().click();
    await screens.button('run.cancel').click();
    await page.getByRole('dialog').getByRole('button', { name: screens.say('run.cancel') }).click();
    await screens.state('badge.cancelled').waitFor();
  }, 600_000);

  it('gives a question back that was lost with the connection, and asks it once when it is sent again', async () => {
    const test = await openDoor({ page: await buildPage() });
    const db = openDatabase(test.home.database);
    const run = finishedRun(test.home, new RunStore(db));
    db.close();
    const { page } = await openPage({ expected: /WebSocket/ });
    const screens = new Screens(page, 'en');
    let lost = false;
    let back = Promise.resolve();
    let release = (): void => undefined;
    await page.routeWebSocket(/\/api$/, async (socket) => {
      await back;
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        if (lost || !String(message).includes('"chats.say"')) return server.send(message);
        lost = true;
        back = new Promise((resolve) => (release = resolve));
        void Promise.all([socket.close({ code: 3000 }), server.close({ code: 3000 })]);
      });
    });
    await page.goto(test.door.newAddress());
    await screens.list.locator(`a[href="#run/${run}"]`).click();
    const input = screens.field('compare.input');
    await input.fill('Who are you?');
    await input.press('Enter');
    await screens.words('connection.lost').waitFor();
    await expect.poll(() => input.inputValue(), { timeout: 60_000 }).toBe('Who are you?');
    // As long as nobody hears it, nothing is sent.
    await input.press('Enter');
    expect(await input.inputValue()).toBe('Who are you?');
    release();
    await screens.words('connection.lost').waitFor({ state: 'detached' });
    expect(await page.getByRole('article').count()).toBe(0);
    expect(await screens.ask('Who are you?')).toHaveLength(2);
    expect(await page.getByRole('article').count()).toBe(1);
    const [chat] = test.core.chat.list();
    expect((await test.core.chat.reopen(chat?.chat ?? 0)).turns).toHaveLength(1);
  }, 600_000);

  it('says so where the run of an address is gone', async () => {
    const test = await openDoor({ page: await buildPage() });
    const { page } = await openPage();
    const screens = new Screens(page, 'en');
    await page.goto(test.door.newAddress());
    await screens.heading('name.title').waitFor();
    for (const step of ['', '/train', '/compare', '/learn', '/take-home', '/name']) {
      await page.goto(`${page.url().split('#')[0] ?? ''}#run/20200101-000000-abcdef${step}`);
      await expect.poll(() => page.getByRole('alert').allInnerTexts(), { message: `run/…${step}` }).toEqual([expect.stringContaining('20200101-000000-abcdef')]);
      await page.goto(`${page.url().split('#')[0] ?? ''}#settings`);
      await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    }
  }, 600_000);

  it('says that the connection is lost, and when it is back under a door that no longer knows this browser', async () => {
    const { page, screens, test } = await begin('en', /WebSocket|401|ERR_CONNECTION/);
    await test.door.close();
    await screens.words('connection.lost').waitFor();
    await screens.button('name.make').click();
    await page.getByText(screens.like('error.door.lost', 'detail')).waitFor();
    await openDoor({ port: test.door.port });
    await screens.words('connection.signed_out').waitFor({ timeout: 60_000 });
  }, 600_000);
});
