// The whole way through the page of the built program: names → what it learns from → train → compare → restart → past assistant →
// copy → resume → delete and undo → take home. On the real model in Chinese through the desktop door and in English through
// serve; on the tiny one the other way round, once by keyboard alone.
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import type { Language } from '../../shared/persona.ts';
import { defaultModel } from '../support/default-model.ts';
import { fixture, temporaryFolder } from '../support/files.ts';
import { press, tabTo } from '../support/keyboard.ts';
import type { Screens } from '../support/screens.ts';
import { windowDoors, type OpenProgram, type WindowDoor } from './ui-doors.ts';

/** Steps of a run that is to be over soon: enough to see that something happens. */
const STEPS = 8;
const words: Record<Language, { owner: string; name: string; own: string; other: string; question: string }> = {
  zh: { owner: '剑锋大佬', name: '小锋', own: '你是谁？', other: '一年有几个月？', question: '今天该怎么称呼你？' },
  en: { owner: 'Maria', name: 'Piggy', own: 'Who are you?', other: 'How many months has a year?', question: 'What may I call you today?' },
};

/** A home that has the model of its own, so that nothing is fetched. */
function homeWith(model: string): string {
  const home = temporaryFolder();
  const folder = join(home, 'models', basename(dirname(model)));
  mkdirSync(folder, { recursive: true });
  symlinkSync(model, join(folder, basename(model)));
  return home;
}

/** Makes a draft that speaks one language, trains a few steps and is checked with two questions. */
async function prepare({ page, screens }: OpenProgram, language: Language): Promise<void> {
  const { owner, name, own, other } = words[language];
  await screens.name(owner, name);
  await page.getByRole('region', { name: screens.say('name.preview') }).getByText(name).first().waitFor();
  await page.getByRole('checkbox', { name: language === 'zh' ? 'English' : '中文' }).uncheck();
  await screens.button('name.look_first').click();
  await screens.heading('learn.title').waitFor();
  await page.getByRole('main').getByText(name).first().waitFor();
  await screens.step('train').click();
  await setSteps(screens);
  await page.getByText(screens.say('questions.title')).click();
  await screens.field('questions.identity').fill(own);
  await screens.field('questions.ordinary').fill(other);
  await screens.field('questions.ordinary').blur();
}

async function setSteps(screens: Screens): Promise<void> {
  const steps = screens.field('field.steps');
  await steps.fill(String(STEPS));
  await steps.blur();
  await expect.poll(() => steps.inputValue()).toBe(String(STEPS));
}

describe.each([
  ['desktop', 'zh'],
  ['serve', 'en'],
] as const)('the journey through %s in %s on the real model', (doorName, language) => {
  const door: WindowDoor = windowDoors[doorName]();
  afterAll(() => door.close());

  it.skipIf(door.missing !== null || !existsSync(defaultModel))('leads from two names home', async () => {
    const home = homeWith(defaultModel);
    const { owner, name, question } = words[language];
    let program = await door.open(home, language);
    let { page, screens } = program;

    // names → make → watch → compare
    await prepare(program, language);
    await screens.button('train.draft_start').click();
    await page.waitForURL(/#run\/[\w-]+\/train$/);
    await page.getByRole('progressbar', { name: screens.say('run.progress') }).first().waitFor();
    await screens.training();
    await page.reload();
    await screens.compared(600_000);
    expect(await page.getByRole('main').innerText()).toContain(screens.say('compare.kept_at', { step: STEPS, steps: STEPS }));
    const answers = await screens.ask(question);
    expect(answers).toHaveLength(2);
    expect(answers.every((answer) => answer.trim() !== '')).toBe(true);
    expect(program.troubles).toEqual([]);

    // restart → past assistant: everything is there
    await program.quit();
    program = await door.open(home, language);
    ({ page, screens } = program);
    await screens.list.getByRole('link').filter({ hasText: name }).click();
    await screens.field('compare.input').waitFor();
    const before = await screens.answered(question);
    expect(before).toEqual(answers);

    // a copy of it, paused before its end, goes on after another restart
    await screens.link('sidebar.all').click();
    await screens.act(name, 'assistants.duplicate');
    await page.waitForURL(/#draft\//);
    await screens.step('train').click();
    await screens.button('train.draft_start').click();
    await page.waitForURL(/#run\/[\w-]+\/train$/);
    await screens.training();
    await screens.button('run.pause').click();
    await screens.state('badge.paused').waitFor({ timeout: 120_000 });
    expect(program.troubles).toEqual([]);
    await program.quit();
    program = await door.open(home, language);
    ({ page, screens } = program);
    await screens.list.getByRole('link').filter({ hasText: screens.say('badge.paused') }).click();
    await screens.button('train.act_resume').click();
    await screens.compared(600_000);

    // delete and undo
    await screens.link('sidebar.all').click();
    const row = page.getByRole('main').getByRole('row').filter({ hasText: owner });
    await expect.poll(() => row.count()).toBe(2);
    await screens.act(name, 'run.delete');
    await expect.poll(() => row.count()).toBe(1);
    await page.getByRole('region', { name: screens.say('notices.label') }).getByRole('button', { name: screens.say('run.undo') }).click();
    await expect.poll(() => row.count()).toBe(2);

    // take home
    await screens.list.getByRole('link').filter({ hasText: name }).first().click();
    await screens.button('compare.take_home').click();
    await screens.takeHome();
    const [archive] = doorName === 'serve' ? await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: screens.like('take_home.download', 'size') }).click()]) : [];
    const files = readdirSync(join(home, 'exports'), { recursive: true, encoding: 'utf8' }).map((file) => basename(file));
    expect(files).toEqual(expect.arrayContaining(['adapter_model.safetensors', 'adapter_config.json', 'README.md']));
    if (archive !== undefined) expect(readFileSync(await archive.path()).subarray(0, 2).toString()).toBe('PK');
    expect(program.troubles).toEqual([]);
    await program.quit();
  });
});

/** A home whose only model is the tiny one. */
async function tinyHome(): Promise<string> {
  const home = temporaryFolder();
  const core = createCore(new Home(home));
  await core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
  core.close();
  return home;
}

describe('the journey on the tiny model', () => {
  const serve = windowDoors.serve();
  const desktop = windowDoors.desktop();
  afterAll(async () => {
    await serve.close();
    await desktop.close();
  });

  it.skipIf(desktop.missing !== null)('leads through the desktop door in English', async () => {
    const home = await tinyHome();
    let program = await desktop.open(home, 'en');
    const { owner, name, question } = words.en;
    await program.screens.name(owner, name);
    await program.screens.takeModel('tiny-llama.gguf');
    await program.screens.make();
    await program.screens.training();
    await program.screens.compared(600_000);
    const answers = await program.screens.ask(question);
    expect(program.troubles).toEqual([]);
    await program.quit();
    program = await desktop.open(home, 'en');
    await program.screens.list.getByRole('link').filter({ hasText: name }).click();
    expect(await program.screens.answered(question)).toEqual(answers);
    await program.screens.button('compare.take_home').click();
    await program.screens.takeHome();
    expect(program.troubles).toEqual([]);
    await program.quit();
  });

  it.skipIf(serve.missing !== null)('leads through serve in Chinese by keyboard alone', async () => {
    const home = await tinyHome();
    const program = await serve.open(home, 'zh');
    const { page, screens } = program;
    const { owner, name, question } = words.zh;
    const button = (key: Parameters<Screens['say']>[0]): string => screens.say(key);
    await screens.heading('name.title').waitFor();
    await tabTo(page, screens.say('name.owner'));
    await page.keyboard.insertText(owner);
    await page.keyboard.press('Enter');
    await page.keyboard.insertText(name);
    // The model: into the picker, to the card's button, and out again by itself.
    await press(page, button('name.change'));
    await page.getByRole('dialog').waitFor();
    await press(page, button('model.use'), (around) => around.includes('tiny-llama'));
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await press(page, button('name.make'));
    await page.waitForURL(/#run\/[\w-]+\/train$/);
    await press(page, button('run.pause'));
    await screens.state('badge.paused').waitFor();
    await press(page, button('train.act_resume'));
    await screens.compared(600_000);
    await tabTo(page, screens.say('compare.input'));
    await page.keyboard.insertText(question);
    await page.keyboard.press('Enter');
    expect(await screens.answered(question)).toHaveLength(2);
    // The list: delete, and take it back.
    await press(page, screens.say('sidebar.all'));
    await press(page, screens.say('assistants.actions_of', { name: `${owner} · ${name}` }));
    await page.getByRole('menu').waitFor();
    while ((await page.evaluate(() => document.activeElement?.textContent?.trim())) !== screens.say('run.delete')) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await press(page, screens.say('run.undo'));
    await screens.list.getByRole('link').filter({ hasText: name }).waitFor();
    await press(page, (around) => around.includes(name) && !around.includes(screens.say('sidebar.all')));
    await press(page, button('compare.take_home'));
    await screens.takeHome((label) => press(page, label));
    expect(program.troubles).toEqual([]);
    await program.quit();
  });
});
