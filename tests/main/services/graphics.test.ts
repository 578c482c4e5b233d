// Why a card that is asked for, by its number or not, cannot be used.
import { describe, expect, it } from 'vitest';
import { problemOf, requireCard } from '../../../main/services/graphics.ts';
import type { GpuCard, GpuReport, Problem } from '../../../shared/doctor.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { rejectedBy } from '../../support/errors.ts';

const old: Problem = { code: 'gpu.card_too_old', detail: 'GTX 1080' };
const card = (ordinal: number, problem: Problem | null): GpuCard => ({
  ...{ ordinal, name: 'RTX 3060', compute_capability: '8.6', total_memory_bytes: 12e9, free_memory_bytes: 9e9 },
  ...{ multiprocessors: 28, clock_khz: 1_777_000, integrated: false, wddm: false, problem },
});
const two: GpuReport = { driver: '12.8', cards: [card(0, old), card(1, null)], chosen: 1, problem: null };
const none: GpuReport = { driver: null, cards: [], chosen: null, problem: { code: 'gpu.no_driver', detail: 'found' } };

describe('what is wrong with a card', () => {
  it('that is asked for by its number is its own problem, not that of the best one', () => {
    expect([problemOf(two, 'cuda:0'), problemOf(two, 'cuda:1'), problemOf(two, 'cuda')]).toEqual([old, null, null]);
  });

  it('that is not there: how many there are; without any, why', () => {
    expect(problemOf(two, 'cuda:2')).toEqual({ code: 'gpu.no_such_card', detail: 'no card 2 among 2' });
    expect([problemOf(none, 'cuda:2'), problemOf(none, 'cuda')]).toEqual([none.problem, none.problem]);
  });
});

it('a card that cannot be used is refused by its code, and the engine that was asked ends', async () => {
  let ended = 0;
  const start = (answer: () => Promise<GpuReport>) => () => ({ gpus: answer, dispose: () => Promise.resolve(void ended++) });
  await requireCard(start(() => Promise.resolve(two)), 'cuda:1');
  expect((await rejectedBy(requireCard(start(() => Promise.resolve(two)), 'cuda:0'))).code).toBe('gpu.card_too_old');
  expect((await rejectedBy(requireCard(start(() => Promise.resolve(two)), 'cuda:5'))).code).toBe('gpu.no_such_card');
  const crash = (): Promise<GpuReport> => Promise.reject(new NamesakeError('engine.crashed', 'signal 11'));
  expect((await rejectedBy(requireCard(start(crash), 'cuda:0'))).code).toBe('gpu.driver_unusable');
  expect(ended).toBe(4);
});
