// Which card the program finds, and each reason why it finds none, from doctor and from what is started on it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DoctorReport } from '../../shared/doctor.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { gpuWords } from '../../shared/i18n/gpu-words.ts';
import { errorCode, lastEvent, namesake, type CliResult } from '../support/cli.ts';
import { fixture, temporaryFolder } from '../support/files.ts';
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
])('%s: %s. Doctor says so in words, and a training is kept from it before anything is written', async (code, _, variables, words) => {
  const home = temporaryFolder();
  const [report, trained] = await Promise.all([cardsOf(variables), onStandIn(['train', writeRecipe(home, { device: 'cuda' })], home, variables)]);
  expect({ chosen: report.chosen, code: report.problem?.code }).toEqual({ chosen: null, code });
  const said = gpuWords('zh', report).map((line) => line.words);
  expect(said[0]).toMatch(words);
  expect(said.at(-1)).toBe('训练和回答都由处理器完成。');
  expect(errorCode(trained)).toBe(code);
  expect(existsSync(join(home, 'runs'))).toBe(false);
});

it('an answer that is asked of a card that is not there is refused; auto is the processor', async () => {
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
    expect(said.stdout).toContain('--device cuda');
  });

  it('says what fits: what it needs, and what it has; auto is the processor all the same', async () => {
    const plan = async (batchTokens: string, device = 'cuda'): Promise<Record<string, unknown>> => {
      const args = ['inspect', 'memory', '--model', tinyModel, '--device', device, '--batch-tokens', batchTokens, '--rank', '8'];
      return lastEvent(await onStandIn(args, temporaryFolder(), { PTXCPU_PROFILE: 'small-memory' }));
    };
    const [large, small, byItself] = await Promise.all([plan('1000000'), plan('640'), plan('640', 'auto')]);
    expect(large).toMatchObject({ fits: false });
    expect(large['total']).toBeGreaterThan(Number(large['available']));
    expect(large['available']).toBeLessThan(2 ** 31);
    expect(small).toMatchObject({ fits: true });
    // Only a plan for a card has the machine's own memory beside it.
    expect(small['host']).toBeGreaterThan(0);
    expect(byItself['host']).toBe(0);
  });
});
