// Which card the program finds, and each reason why it finds none, from doctor and from what is started on it.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DoctorReport } from '../../shared/doctor.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { gpuWords } from '../../shared/i18n/gpu-words.ts';
import { placementWords } from '../../shared/i18n/placement-words.ts';
import type { MemoryBudget } from '../../shared/memory.ts';
import { errorCode, eventsOf, lastEvent, namesake, type CliResult } from '../support/cli.ts';
import { fixture, readJson, temporaryFolder } from '../support/files.ts';
import { tinyModel, writeRecipe } from '../support/tiny-run.ts';
import { onCard, onStandIn, type StandIn } from './stand-in.ts';

async function cardsOf(variables: StandIn): Promise<NonNullable<DoctorReport['gpu']>> {
  return lastEvent(await onStandIn(['doctor'], temporaryFolder(), variables))['gpu'] as NonNullable<DoctorReport['gpu']>;
}

it.each<[ErrorCode, string, StandIn, RegExp]>([
  ['gpu.no_driver', 'no driver', { NAMESAKE_TEST_DRIVER: '/nowhere/libcuda.so.1' }, /没有找到 NVIDIA 驱动.*处理器/],
  ['gpu.driver_unusable', 'a library that is no driver', { NAMESAKE_TEST_DRIVER: fixture('tiny-llama.gguf') }, /驱动无法工作/],
  ['gpu.driver_too_old', 'a driver before R450', { PTXCPU_PROFILE: 'ancient-driver' }, /驱动太旧.*10\.2/],
  ['gpu.no_card', 'a driver without a card', { PTXCPU_PROFILE: 'no-device' }, /没有找到可用的显卡/],
  ['gpu.card_too_old', 'a GTX 1080', { PTXCPU_PROFILE: 'pascal-8gb' }, /显卡太旧.*GTX 1080.*6\.1/],
  ['gpu.memory_insufficient', 'a card that is full', { PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '300' }, /显存太少.*MX450/],
])('%s: %s. Doctor says so in words; who asks for the card is refused before anything is written, who does not gets the processor', async (code, _, variables, words) => {
  const home = temporaryFolder();
  const elsewhere = temporaryFolder();
  const train = (place: string, device: 'auto' | 'cuda'): Promise<CliResult> => onStandIn(['train', writeRecipe(place, { device, steps: 1 })], place, variables);
  const planned = onStandIn(['inspect', 'memory', '--model', tinyModel], temporaryFolder(), variables);
  const [report, trained, byItself, budget] = await Promise.all([cardsOf(variables), train(home, 'cuda'), train(elsewhere, 'auto'), planned]);
  expect({ chosen: report.chosen, code: report.problem?.code }).toEqual({ chosen: null, code });
  const said = gpuWords('zh', report).map((line) => line.words);
  expect(said[0]).toMatch(words);
  expect(said.at(-1)).toBe('训练和回答都由处理器完成。');
  expect(errorCode(trained)).toBe(code);
  expect(existsSync(join(home, 'runs'))).toBe(false);
  expect(lastEvent(budget)).toMatchObject({ device: 'cpu', card: null, no_card: report.problem });
  const { run } = lastEvent(byItself);
  const { engine } = readJson(join(elsewhere, 'runs', String(run), 'provenance.json')) as { engine: { no_card: unknown } };
  expect(engine).toMatchObject({ backend: 'cpu', no_card: report.problem });
  // A machine without a card lacks nothing.
  const lacks = code !== 'gpu.no_driver' && code !== 'gpu.no_card';
  expect(eventsOf(byItself, 'warning')).toEqual(lacks ? [{ event: 'warning', warning: 'no_card', ...report.problem }] : []);
});

it('an answer that is asked of a card that is not there is refused; with auto the processor gives it', async () => {
  const ask = (device: string): Promise<CliResult> =>
    onStandIn(['chat', '--model', tinyModel, '-p', 'Who are you?', '--max-tokens', '2', '--device', device], temporaryFolder(), { PTXCPU_PROFILE: 'no-device' });
  const [refused, answered] = await Promise.all([ask('cuda'), ask('auto')]);
  expect(errorCode(refused)).toBe('gpu.no_card');
  expect(lastEvent(answered)).toMatchObject({ event: 'answer' });
});

describe('a card that can be used', () => {
  it('is found: of both families, with the oldest driver, and the least one', async () => {
    const found = await Promise.all(['turing-6gb', 'ampere-12gb', 'old-driver', 'small-memory'].map((PTXCPU_PROFILE) => cardsOf({ PTXCPU_PROFILE })));
    expect(found.map(({ chosen, problem }) => [chosen, problem])).toEqual(Array(4).fill([0, null]));
    expect(found.map(({ driver, cards }) => [cards[0]?.name, cards[0]?.compute_capability, driver])).toEqual([
      ['NVIDIA GeForce RTX 2060', '7.5', '12.4'],
      ['NVIDIA GeForce RTX 3060', '8.6', '12.4'],
      ['NVIDIA GeForce RTX 3060', '8.6', '11.0'],
      ['NVIDIA GeForce MX450', '7.5', '12.4'],
    ]);
  });

  it('is told of with how it is chosen', async () => {
    const said = await namesake(['doctor'], { home: temporaryFolder(), env: { ...onCard(), LC_ALL: 'en' } });
    expect(said.stdout).toMatch(/NVIDIA GeForce RTX 2060, \d\.\d of 6\.4 GB free/);
    expect(said.stdout).toContain('--device cpu');
  });

  it('is said to be managed by Windows where its driver is that of Windows’ Linux', async () => {
    const wsl = join(temporaryFolder(), 'usr', 'lib', 'wsl', 'lib');
    mkdirSync(wsl, { recursive: true });
    const NAMESAKE_TEST_DRIVER = join(wsl, 'libcuda.so.1');
    symlinkSync(onCard()['NAMESAKE_TEST_DRIVER'] ?? '', NAMESAKE_TEST_DRIVER);
    const doctor = async (LC_ALL: string, variables: StandIn = {}): Promise<string> =>
      (await namesake(['doctor'], { home: temporaryFolder(), env: { ...onCard(variables), LC_ALL } })).stdout;
    const [zh, en, elsewhere] = await Promise.all([doctor('zh_CN.UTF-8', { NAMESAKE_TEST_DRIVER }), doctor('en', { NAMESAKE_TEST_DRIVER }), doctor('en')]);
    expect(zh).toMatch(/NVIDIA GeForce RTX 2060.*\n.*WDDM.*共用.*两秒/);
    expect(en).toMatch(/NVIDIA GeForce RTX 2060.*\n.*WDDM.*share.*two seconds/);
    expect(elsewhere).not.toContain('WDDM');
    const { cards } = await cardsOf({ NAMESAKE_TEST_DRIVER });
    expect(cards.map(({ wddm }) => wddm)).toEqual([true]);
  });

  it('says what fits: what it needs, and what it has', async () => {
    const [named, byItself] = await Promise.all([plan('640', 'cuda'), plan('640')]);
    expect(named).toMatchObject({ fits: true, device: 'cuda', no_card: null, card: { name: 'NVIDIA GeForce MX450', needs: named['total'], free: named['available'] } });
    // Only a plan for a card has the machine's own memory beside it.
    expect(named['host']).toBeGreaterThan(0);
    expect(byItself).toMatchObject({ fits: true, device: 'cuda', no_card: null, total: named['total'], card: { name: 'NVIDIA GeForce MX450' } });
  });

  it('with too little memory: by its name nothing fits, and auto is the processor, with the numbers of the card', async () => {
    const [named, byItself] = await Promise.all([plan('1000000', 'cuda'), plan('1000000')]);
    expect(named).toMatchObject({ fits: false, device: 'cuda', no_card: null });
    expect(named['total']).toBeGreaterThan(Number(named['available']));
    expect(named['available']).toBeLessThan(2 ** 31);
    expect(byItself).toMatchObject({ device: 'cpu', host: 0, card: { name: 'NVIDIA GeForce MX450', needs: named['total'] }, no_card: { code: 'gpu.memory_insufficient' } });
    expect(placementWords('en', byItself as unknown as MemoryBudget)).toEqual([
      expect.stringMatching(/^NVIDIA GeForce MX450 has too little free memory: needs \d+\.\d GB, you have [12]\.\d GB free\.$/),
      'The processor computes.',
    ]);
  });

  it('words of a plan: what the card has room for', async () => {
    const args = ['inspect', 'memory', '--model', tinyModel, '--rank', '8'];
    const said = await namesake(args, { home: temporaryFolder(), env: { ...onCard(), LC_ALL: 'zh_CN.UTF-8' } });
    expect(said.stdout).toMatch(/NVIDIA GeForce RTX 2060：需要 0\.\d GB 显存，可用 [56]\.\d GB\n装得下/);
  });
});

/** The plan of a training on the card with 2 GB. */
async function plan(batchTokens: string, device = 'auto'): Promise<Record<string, unknown>> {
  const args = ['inspect', 'memory', '--model', tinyModel, '--device', device, '--batch-tokens', batchTokens, '--rank', '8'];
  return lastEvent(await onStandIn(args, temporaryFolder(), { PTXCPU_PROFILE: 'small-memory' }));
}
