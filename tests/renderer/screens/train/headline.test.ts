// What a run is doing, in one line; how far it is; and its phases.
import { describe, expect, test } from 'vitest';
import { headline, shareDone, timeLeft } from '../../../../renderer/screens/train/headline.ts';
import { phaseStates } from '../../../../renderer/screens/train/phase-row.ts';
import { phases, type Phase } from '../../../../shared/run-events.ts';
import { runStatuses } from '../../../../shared/run.ts';
import { translate } from '../../../../shared/i18n/translate.ts';
import { details, metrics } from './details.ts';

const numbers = { count: (value: number) => Math.round(value).toLocaleString('en'), bytes: (value: number) => `${value} B` };

const line = (change: Parameters<typeof details>[0], language: 'zh' | 'en' = 'en'): string =>
  headline(details(change), numbers)
    .map(({ key, values }) => translate(language, key, values))
    .join(' · ');
const doing = (phase: Phase, done: number | null = null, total: number | null = null, eta_seconds: number | null = null) => ({ phase: { phase, done, total, eta_seconds } });

describe('the headline', () => {
  test('of a run that trains says step, speed and time left', () => {
    const run = { step: 24, metrics: metrics(...Array<number>(24).fill(2)), ...doing('training', 24, 60, 63) };
    expect(line(run)).toBe('Step 24 of 60 · 1,310 tokens/s · about 1 min left');
    expect(line(run, 'zh')).toBe('第 24 步，共 60 步 · 每秒 1,310 词元 · 约剩 1 分钟');
  });

  test('before the first step says what is done and how much of it', () => {
    expect(line({ status: 'preparing' })).toBe('Preparing');
    expect(line({ status: 'preparing', ...doing('asking', 96, 240) })).toBe('Asking the model first · 96 of 240');
    expect(line({ status: 'running', ...doing('training') })).toBe('Training');
  });

  test('while the model is on its way says how much of it is here', () => {
    const run = details({ status: 'preparing', ...doing('fetching') });
    const said = (fetched: Parameters<typeof headline>[2]): string[] => headline(run, numbers, fetched).map(({ key, values }) => translate('en', key, values));
    expect(said({ done: 40, total: 100, eta_seconds: 12 })).toEqual(['Fetching the model', '40 B of 100 B', 'about 15 s left']);
    expect(shareDone(run, { done: 40, total: 100, eta_seconds: null })).toBe(0.4);
    expect(said(null)).toEqual(['Looking for the model']);
    expect(shareDone(run, { done: 0, total: 0, eta_seconds: null })).toBeNull();
    expect(shareDone(details({ step: 30, ...doing('training') }), { done: 40, total: 100, eta_seconds: null })).toBe(0.5);
  });

  test('between steps says what is done at which step', () => {
    expect(line({ step: 40, ...doing('saving') })).toBe('Saving · Step 40 of 60');
    expect(line({ step: 40, ...doing('checking') })).toBe('Checking what it learnt · Step 40 of 60');
  });

  test('of a run that is over says how, and names the chosen step where there is one', () => {
    expect(line({ status: 'done', step: 60, chosen_step: 50 })).toBe('Ready: step 50 of 60 was the best');
    for (const status of runStatuses) expect(line({ status, step: 7 }).length).toBeGreaterThan(3);
  });
});

test('time left is said as roughly as it is known', () => {
  const said = (seconds: number): string => {
    const { key, values } = timeLeft(seconds);
    return translate('en', key, values);
  };
  expect([0, 3, 22, 54, 56, 89, 200, 3570, 3700, 9000].map(said)).toEqual([
    'about 5 s left', 'about 5 s left', 'about 25 s left', 'about 55 s left', 'about 1 min left', 'about 1 min left', 'about 3 min left',
    'about 1 h left', 'about 1 h left', 'about 2 h 30 min left',
  ]);
});

test('how far it is: the questions before the first step, then the steps', () => {
  expect(shareDone(details({ status: 'preparing', ...doing('loading') }))).toBeNull();
  expect(shareDone(details({ status: 'preparing', ...doing('asking', 60, 240) }))).toBe(0.25);
  expect(shareDone(details({ step: 30, ...doing('checking') }))).toBe(0.5);
  // Resumed: what was done before is not undone by loading it again.
  expect(shareDone(details({ status: 'preparing', step: 30, ...doing('loading') }))).toBe(0.5);
  expect(shareDone(details({ status: 'done', step: 40 }))).toBe(1);
});

describe('the phases', () => {
  const states = (phase: Phase | null): string => phaseStates(phase).map(({ phase, state }) => `${phase} ${state}`).join(', ');

  test('are over, now, or coming', () => {
    expect(states(null)).toBe('preparing now, loading coming, asking coming, training coming, checking coming, saving coming, comparing coming');
    expect(states('fetching')).toContain('preparing done, loading now');
    expect(states('comparing')).toContain('checking done, saving done, comparing now');
  });

  test('training, checking and saving take turns: none of them is over while another one goes on', () => {
    for (const phase of ['training', 'checking', 'saving'] as const) {
      const turns = phaseStates(phase).filter(({ phase: shown }) => ['training', 'checking', 'saving'].includes(shown));
      expect(turns.filter(({ state }) => state === 'now').map(({ phase: shown }) => shown)).toEqual([phase]);
      expect(turns.some(({ state }) => state === 'done')).toBe(false);
    }
  });

  test('saving is never shown as done before everything is saved', () => {
    for (const phase of phases.filter((phase) => phase !== 'comparing')) expect(states(phase)).not.toContain('saving done');
  });
});
