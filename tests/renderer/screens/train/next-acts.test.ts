// What is offered for a run that does not go on.
import { expect, test } from 'vitest';
import { nextActs } from '../../../../renderer/screens/train/next-acts.ts';
import { activeStatuses, resumableStatuses, runStatuses } from '../../../../shared/run.ts';

test('nothing while it goes on, something whenever it does not', () => {
  for (const status of runStatuses) {
    const acts = nextActs({ status, error: null, chosen_step: null });
    expect([status, acts.length > 0]).toEqual([status, !activeStatuses.includes(status)]);
  }
});

test('going on is offered where the run can, and only there', () => {
  for (const status of runStatuses) {
    expect([status, nextActs({ status, error: null, chosen_step: 1 }).includes('resume')]).toEqual([status, resumableStatuses.includes(status)]);
  }
});

test('what it became is looked at first, where it became something', () => {
  expect(nextActs({ status: 'stopped', error: null, chosen_step: 20 })[0]).toBe('look');
  expect(nextActs({ status: 'done', error: null, chosen_step: 20 })[0]).toBe('look');
  expect(nextActs({ status: 'stopped', error: null, chosen_step: null })[0]).toBe('resume');
});

test('after an error that comes again, other settings come before going on; after one that passes, going on', () => {
  const first = (error: string): unknown => nextActs({ status: 'failed', error, chosen_step: null })[0];
  expect(['training.diverged', 'memory.insufficient', 'rows.too_long', 'questions.invalid'].map(first)).toEqual(Array(4).fill('again'));
  expect(['disk.full', 'engine.crashed', 'download.failed', 'internal'].map(first)).toEqual(Array(4).fill('resume'));
});

test('a run of a card may go on without it, wherever it can go on', () => {
  for (const status of runStatuses) {
    for (const device of ['cuda', 'cuda:1'] as const) {
      const acts = nextActs({ status, error: 'gpu.failed', chosen_step: 1 }, device);
      expect([status, acts.includes('resume_cpu')]).toEqual([status, resumableStatuses.includes(status)]);
    }
  }
  expect(nextActs({ status: 'failed', error: 'gpu.failed', chosen_step: null }, 'cuda').slice(0, 2)).toEqual(['resume', 'resume_cpu']);
  expect(nextActs({ status: 'failed', error: 'gpu.failed', chosen_step: null }, 'auto')).toContain('resume_cpu');
  expect(nextActs({ status: 'failed', error: 'disk.full', chosen_step: null }, 'auto')).not.toContain('resume_cpu');
  expect(nextActs({ status: 'failed', error: 'gpu.failed', chosen_step: null }, 'cpu')).not.toContain('resume_cpu');
});
