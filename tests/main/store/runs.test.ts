import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { RunStore } from '../../../main/store/runs.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { runStatuses, type ScoredProbe, type StepMetric } from '../../../shared/run.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { scoreCard } from '../../support/scores.ts';

const recipe = recipeSchema.parse({ name: '我的 run', steps: 40, data: { persona: { owner: '剑锋大佬', name: '小锋', facts: ["it's"] } } });
const metric = (step: number): StepMetric => ({
  step,
  loss: 3 / step,
  grad_norm: 0.1,
  lr: 1e-3,
  tokens: 600 + step,
  tokens_per_second: 310.5,
  eta_seconds: 9,
});
const probes: ScoredProbe[] = [
  { lang: 'zh', kind: 'identity', question: '你是谁', answer: '我是小锋', hit: true },
  { lang: 'en', kind: 'unrelated', question: "What's 1?", answer: '', hit: false },
];

describe('RunStore', () => {
  let db: Db;
  let runs: RunStore;
  beforeEach(() => {
    db = openDatabase(join(temporaryFolder(), 'namesake.db'));
    runs = new RunStore(db);
    runs.create('r1', recipe);
    return () => {
      db.close();
    };
  });

  it('keeps a new run and its recipe', () => {
    expect(runs.get('r1')).toEqual({
      run: 'r1',
      name: '我的 run',
      status: 'preparing',
      step: 0,
      steps: 40,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
      error: null,
      error_detail: null,
      chosen_step: null,
      recipe,
      result: null,
    });
  });

  it('refuses an unknown run, and the same id twice', () => {
    const error = thrownBy(() => runs.get('nobody'));
    expect(error.code).toBe('run.unknown');
    expect(error.params).toEqual({ run: 'nobody' });
    expect(() => {
      runs.create('r1', recipe);
    }).toThrow(/UNIQUE/);
  });

  it('lists the newest first', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    runs.create('r0', recipe);
    expect(runs.list().map(({ run }) => run)).toEqual(['r0', 'r1']);
  });

  it('takes every status, and no other', () => {
    for (const status of runStatuses) {
      runs.setStatus('r1', status);
      expect(runs.get('r1').status).toBe(status);
    }
    expect(() => {
      runs.setStatus('r1', 'sleeping' as 'done');
    }).toThrow(/CHECK/);
  });

  it('keeps why a run failed until it goes on', () => {
    runs.fail('r1', 'disk.full', 'no space on /x');
    expect(runs.get('r1')).toMatchObject({ status: 'failed', error: 'disk.full', error_detail: 'no space on /x' });
    runs.setStatus('r1', 'running');
    expect(runs.get('r1')).toMatchObject({ status: 'running', error: null, error_detail: null });
  });

  it('keeps the result of a finished run', () => {
    runs.setSteps('r1', 44);
    runs.finish('r1', 'done', 40, { event: 'result', seconds: 1.5 });
    expect(runs.get('r1')).toMatchObject({ status: 'done', steps: 44, chosen_step: 40, result: { event: 'result', seconds: 1.5 } });
  });

  it('marks runs whose process died, and those alone', () => {
    const statuses = Object.fromEntries(runStatuses.map((status) => [status, status as string]));
    for (const status of runStatuses) {
      runs.create(status, recipe);
      runs.setStatus(status, status);
    }
    runs.markInterrupted();
    const after = Object.fromEntries(runStatuses.map((status) => [status, runs.get(status).status]));
    expect(after).toEqual({ ...statuses, preparing: 'interrupted', running: 'interrupted' });
  });

  it('keeps metrics in order, and the step with them', () => {
    for (const step of [1, 2, 3]) runs.addMetric('r1', metric(step));
    const told = runs.metrics('r1').map((kept) => ({ ...kept, eta_seconds: 9 }));
    expect(told).toEqual([1, 2, 3].map(metric));
    expect(runs.get('r1').step).toBe(3);
    expect(() => {
      runs.addMetric('r1', metric(3));
    }).toThrow(/UNIQUE/);
    expect(runs.get('r1').step).toBe(3);
  });

  it('keeps evaluations: scores, verdict and every answer', () => {
    runs.addCheckpoint('r1', 10);
    runs.addCheckpoint('r1', 20);
    runs.addEvaluation('r1', 0, scoreCard(0), false, probes);
    runs.addEvaluation('r1', 20, scoreCard(), true, probes.toReversed());
    runs.dropCheckpoint('r1', 10);
    expect(runs.checkpoints('r1')).toEqual([
      { step: 0, right: false, scores: scoreCard(0), kept: false },
      { step: 10, right: false, scores: null, kept: false },
      { step: 20, right: true, scores: scoreCard(), kept: true },
    ]);
    expect(runs.probes('r1', 0)).toEqual(probes);
    expect(runs.probes('r1', 20)).toEqual(probes.toReversed());
    expect(runs.probes('r1', 10)).toEqual([]);
  });

  it('scores a step again without losing that its checkpoint is there', () => {
    runs.addCheckpoint('r1', 10);
    runs.addEvaluation('r1', 10, scoreCard(0.5), false, probes);
    runs.addEvaluation('r1', 10, scoreCard(1), true, probes.slice(0, 1));
    runs.addCheckpoint('r1', 10);
    expect(runs.checkpoints('r1')).toEqual([{ step: 10, right: true, scores: scoreCard(1), kept: true }]);
    expect(runs.probes('r1', 10)).toEqual(probes.slice(0, 1));
  });

  it('forgets what came after the step that a run goes back to', () => {
    for (const step of [1, 2, 3]) {
      runs.addMetric('r1', metric(step));
      runs.addEvaluation('r1', step, scoreCard(), true, probes);
    }
    runs.create('other', recipe);
    runs.addMetric('other', metric(3));
    runs.rewind('r1', 2);
    expect(runs.get('r1').step).toBe(2);
    expect(runs.metrics('r1').map(({ step }) => step)).toEqual([1, 2]);
    expect(runs.checkpoints('r1').map(({ step }) => step)).toEqual([1, 2]);
    expect(runs.probes('r1', 3)).toEqual([]);
    expect(runs.probes('r1', 2)).toEqual(probes);
    expect(runs.metrics('other')).toHaveLength(1);
    runs.addMetric('r1', metric(3));
    expect(runs.get('r1').step).toBe(3);
  });
});
