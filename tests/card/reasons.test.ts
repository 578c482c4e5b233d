// Which card the program finds, and each reason why it finds none, from doctor and from what is started on it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DoctorReport } from '../../shared/doctor.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { gpuWords } from '../../shared/i18n/gpu-words.ts';
import { errorCode, lastEvent, namesake } from '../support/cli.ts';
import { fixture, temporaryFolder } from '../support/files.ts';
import { tinyModel, writeRecipe } from '../support/tiny-run.ts';
import { onCard, onStandIn, type StandIn } from './stand-in.ts';

async function cardsOf(variables: StandIn): Promise<NonNullable<DoctorReport['gpu']>> {
  return lastEvent(await onStandIn(['doctor'], temporaryFolder(), variables))['gpu'] as NonNullable<DoctorReport['gpu']>;
}

describe.each<[ErrorCode, string, StandIn, RegExp]>([
  ['gpu.no_driver', 'no driver', { NAMESAKE_TEST_DRIVER: '/nowhere/libcuda.so.1' }, /没有找到 NVIDIA 驱动.*处理器/],
  ['gpu.driver_unusable', 'a library that is no driver', { NAMESAKE_TEST_DRIVER: fixture('tiny-llama.gguf') }, /驱动无法工作/],
  ['gpu.driver_too_old', 'a driver before R450', { PTXCPU_PROFILE: 'ancient-driver' }, /驱动太旧.*10\.2/],
  ['gpu.no_card', 'a driver without a card', { PTXCPU_PROFILE: 'no-device' }, /没有找到可用的显卡/],
  ['gpu.card_too_old', 'a GTX 1080', { PTXCPU_PROFILE: 'pascal-8gb' }, /显卡太旧.*GTX 1080.*6\.1/],
  ['gpu.memory_insufficient', 'a card that is full', { PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '300' }, /显存太少.*MX450/],
])('%s: %s', (code, _, variables, words) => {
  it('is what doctor says; the words have what was found', async () => {
    const report = await cardsOf(variables);
    expect({ chosen: report.chosen, code: report.problem?.code }).toEqual({ chosen: null, code });
    const said = gpuWords('zh', report).map((line) => line.words);
    expect(said[0]).toMatch(words);
    expect(said.at(-1)).toBe('训练和回答都由处理器完成。');
  });

  it('keeps a training and an answer from it, before anything is written', async () => {
    const home = temporaryFolder();
    const ask = ['chat', '--model', tinyModel, '-p', 'Who are you?', '--max-tokens', '2', '--device', 'cuda'];
    const [trained, asked] = await Promise.all([onStandIn(['train', writeRecipe(home, { device: 'cuda' })], home, variables), onStandIn(ask, temporaryFolder(), variables)]);
    expect([errorCode(trained), errorCode(asked)]).toEqual([code, code]);
    expect(existsSync(join(home, 'runs'))).toBe(false);
  });
});

describe('a card that can be used', () => {
  it.each([
    ['turing-6gb', 'NVIDIA GeForce RTX 2060', '7.5', '12.4'],
    ['ampere-12gb', 'NVIDIA GeForce RTX 3060', '8.6', '12.4'],
    // The oldest driver that works, and the least card.
    ['old-driver', 'NVIDIA GeForce RTX 3060', '8.6', '11.0'],
    ['small-memory', 'NVIDIA GeForce MX450', '7.5', '12.4'],
  ])('is found: %s', async (PTXCPU_PROFILE, name, compute_capability, driver) => {
    const report = await cardsOf({ PTXCPU_PROFILE });
    expect(report).toMatchObject({ driver, chosen: 0, problem: null, cards: [{ name, compute_capability, problem: null }] });
  });

  it('is told of with how it is chosen', async () => {
    const said = await namesake(['doctor'], { home: temporaryFolder(), env: { ...onCard(), LC_ALL: 'en' } });
    expect(said.stdout).toMatch(/NVIDIA GeForce RTX 2060, \d\.\d of 6\.4 GB free/);
    expect(said.stdout).toContain('--device cuda');
  });

  it('says what fits: what it needs, and what it has', async () => {
    const home = temporaryFolder();
    const plan = async (batchTokens: string, variables: StandIn): Promise<Record<string, unknown>> =>
      lastEvent(await onStandIn(['inspect', 'memory', '--model', tinyModel, '--device', 'cuda', '--batch-tokens', batchTokens, '--rank', '8'], home, variables));
    const large = await plan('1000000', { PTXCPU_PROFILE: 'small-memory' });
    expect(large).toMatchObject({ fits: false });
    expect(large['total']).toBeGreaterThan(Number(large['available']));
    expect(large['available']).toBeLessThan(2 ** 31);
    expect(await plan('640', { PTXCPU_PROFILE: 'small-memory' })).toMatchObject({ fits: true });
  });
});
