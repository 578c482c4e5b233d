// What a person is told of the machine's card: in the settings, beside the model of a new assistant and in the plan of a training, in
// both languages, with a card that can be used and for each reason why there is none.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { isWithoutCard } from '../../shared/doctor.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { gpuWords } from '../../shared/i18n/gpu-words.ts';
import { placementWords } from '../../shared/i18n/placement-words.ts';
import type { Placement } from '../../shared/memory.ts';
import { languages, type Language } from '../../shared/persona.ts';
import { chromiumPath, launchChromium, PATIENCE_MS } from '../support/chromium.ts';
import type { Client } from '../support/door-client.ts';
import { fixture, temporaryFolder } from '../support/files.ts';
import { Screens } from '../support/screens.ts';
import { ServedProgram } from '../support/served-program.ts';
import { watchTroubles } from '../support/troubles.ts';
import { onCard, type StandIn } from './stand-in.ts';

/** Words in each language. */
type Words = Record<Language, RegExp>;

interface Opened {
  page: Page;
  window: Client;
  /** The model that a new assistant is based on, and how its plan is placed. */
  model: string;
  placement: Placement;
  troubles: string[];
}

describe.skipIf(chromiumPath === null)('what is said of the card (needs Chromium)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  /** A new home's first page, on a machine with such a card. */
  async function open(variables: StandIn): Promise<Opened> {
    const served = await ServedProgram.start(temporaryFolder(), undefined, 1, onCard(variables));
    const context = await browser.newContext({ locale: 'en-GB' });
    onTestFinished(async () => {
      await context.close();
      await served.end();
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const troubles = watchTroubles(page);
    await page.goto(await served.newAddress());
    const window = await served.window();
    const model = (await window.request('models.list', {})).find(({ standard }) => standard);
    if (model === undefined || model.placement === null) throw new Error('the standard model has no plan');
    return { page, window, model: model.name, placement: model.placement, troubles };
  }

  /** Waits until the screen has all lines, in one language after the other; what it then says. */
  async function saysInBoth(page: Page, lines: (language: Language) => string[]): Promise<Record<Language, string>> {
    const said: Partial<Record<Language, string>> = {};
    for (const language of languages) {
      await page.getByRole('banner').getByRole('button', { name: language === 'zh' ? '中文' : 'English', exact: true }).click();
      const main = page.getByRole('main');
      for (const line of lines(language)) await main.getByText(line).first().waitFor();
      said[language] = await main.innerText();
    }
    return said as Record<Language, string>;
  }

  /** The settings after the machine was looked at. */
  async function settingsSay({ page, window }: Opened): Promise<Record<Language, string>> {
    await page.goto(`${page.url().split('#')[0] ?? ''}#settings`);
    await new Screens(page, 'zh').button('settings.examine').or(new Screens(page, 'en').button('settings.examine')).click();
    const { gpu } = await window.request('app.doctor', {});
    return saysInBoth(page, (language) => gpuWords(language, gpu).map(({ words }) => words));
  }

  /** What stands beside the model: its name, by which the plan is there too, and what the plan found out. */
  const modelLine = (language: Language, { model, placement }: Opened): string[] => [model, ...placementWords(language, placement)];

  it.each<[ErrorCode, string, StandIn, Words]>([
    ['gpu.no_driver', 'no driver', { NAMESAKE_TEST_DRIVER: '/nowhere/libcuda.so.1' }, { zh: /没有找到 NVIDIA 驱动/, en: /No NVIDIA driver was found/ }],
    ['gpu.driver_unusable', 'a library that is no driver', { NAMESAKE_TEST_DRIVER: fixture('tiny-llama.gguf') }, { zh: /驱动无法工作/, en: /driver does not work/ }],
    ['gpu.driver_too_old', 'a driver before R450', { PTXCPU_PROFILE: 'ancient-driver' }, { zh: /驱动太旧.*10\.2/, en: /driver is too old.*10\.2/ }],
    ['gpu.no_card', 'a driver without a card', { PTXCPU_PROFILE: 'no-device' }, { zh: /没有找到可用的显卡/, en: /finds no card/ }],
    ['gpu.card_too_old', 'a GTX 1080', { PTXCPU_PROFILE: 'pascal-8gb' }, { zh: /显卡太旧.*GTX 1080.*6\.1/, en: /card is too old.*GTX 1080.*6\.1/ }],
    ['gpu.memory_insufficient', 'a card that is full', { PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '300' }, { zh: /可用显存太少.*MX450/, en: /too little free memory.*MX450/ }],
  ])('%s: %s. The settings say why; beside the model stands what a card that is there lacks', async (code, _, variables, reason) => {
    const opened = await open(variables);
    expect(opened.placement).toMatchObject({ device: 'cpu', card: null, no_card: { code } });
    const beside = await saysInBoth(opened.page, (language) => modelLine(language, opened));
    const settings = await settingsSay(opened);
    for (const language of languages) {
      expect(settings[language]).toMatch(reason[language]);
      expect(settings[language]).toContain({ zh: '训练和回答都由处理器完成。', en: 'The processor trains and answers.' }[language]);
      // A machine without a card lacks nothing.
      const lacks = !isWithoutCard({ code, detail: '' });
      expect(reason[language].test(beside[language])).toBe(lacks);
      expect(beside[language].includes({ zh: '由处理器计算。', en: 'The processor computes.' }[language])).toBe(lacks);
    }
    expect(opened.troubles).toEqual([]);
  });

  it.each<[string, StandIn, Placement['device'], Words]>([
    ['a card with room', {}, 'cuda', { zh: /NVIDIA GeForce RTX 2060：需要 \d\.\d GB 显存，可用 6\.\d GB/, en: /NVIDIA GeForce RTX 2060: needs \d\.\d GB, you have 6\.\d GB free/ }],
    [
      'a card with too little',
      { PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '420' },
      'cpu',
      { zh: /NVIDIA GeForce MX450 的可用显存不够：需要 \d\.\d GB，可用 0\.4 GB。\s*由处理器计算。/, en: /NVIDIA GeForce MX450 has too little free memory: needs \d\.\d GB, you have 0\.4 GB free\.\s*The processor computes\./ },
    ],
  ])('%s: beside the model and in the plan of a training stand what it needs and what is free, in the settings the card', async (_, variables, device, plan) => {
    const opened = await open(variables);
    expect(opened.placement.device).toBe(device);
    const beside = await saysInBoth(opened.page, (language) => modelLine(language, opened));
    const { draft, recipe } = await opened.window.request('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } });
    const budget = await opened.window.request('models.memory', { recipe, draft });
    await opened.page.goto(`${opened.page.url().split('#')[0] ?? ''}#draft/${draft}/train`);
    const training = await saysInBoth(opened.page, (language) => placementWords(language, budget));
    const settings = await settingsSay(opened);
    for (const language of languages) {
      expect(beside[language]).toMatch(plan[language]);
      expect(training[language]).toMatch(plan[language]);
      expect(settings[language]).toMatch({ zh: /显卡：NVIDIA GeForce .*，可用显存 \d\.\d GB，共 \d\.\d GB/, en: /Graphics card: NVIDIA GeForce .*, \d\.\d of \d\.\d GB free/ }[language]);
    }
    expect(opened.troubles).toEqual([]);
  });

  it('of two cards the settings tell which one is taken, and how to take the other', async () => {
    const opened = await open({ PTXCPU_DEVICES: '2' });
    const settings = await settingsSay(opened);
    expect(settings.zh).toMatch(/显卡 cuda:0：NVIDIA GeForce RTX 2060，可用显存 3\.2 GB[^\n]*）\n/);
    expect(settings.zh).toMatch(/显卡 cuda:1：[^\n]*可用显存最多，会自动选用/);
    expect(settings.en).toMatch(/Graphics card cuda:1: [^\n]*It is taken by itself/);
    expect(settings.en).toMatch(/--device cuda:0/);
    // Beside the model stands the memory of the one that is taken.
    expect(opened.placement).toMatchObject({ device: 'cuda', card: { ordinal: 1 } });
    expect(opened.troubles).toEqual([]);
  });
});
