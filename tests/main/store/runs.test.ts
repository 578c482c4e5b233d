import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { RunStore } from '../../../main/store/runs.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { RunResult } from '../../../shared/run-events.ts';
import { runStatuses, transitions, type RunStatus, type ScoredProbe, type StepMetric } from '../../../shared/run.ts';
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
const result: RunResult = {
  run: 'r1',
  adapter: '/h/runs/r1/adapter',
  chosen_step: 40,
  steps: 44,
  tokens: 1000,
  right: null,
  missed: [],
  scores: null,
  before: [],
  after: [],
  seconds: 1.5,
};
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

  it('knows how long the newest run from a model took, unless only its last part was timed', () => {
    expect(runs.madeSeconds(recipe.model.ref)).toBeNull();
    const finish = (id: string, seconds: number): void => {
      runs.setStatus(id, 'running');
      runs.addMetric(id, metric(1));
      runs.finish(id, 'done', 1, { ...result, run: id, seconds });
    };
    finish('r1', 90);
    expect(runs.madeSeconds(recipe.model.ref)).toBe(90);
    // Its step alone took 1.9 seconds: it was resumed after it.
    runs.create('r2', recipe);
    finish('r2', 1.5);
    expect(runs.madeSeconds(recipe.model.ref)).toBe(90);
    expect(runs.madeSeconds('another')).toBeNull();
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
      error_params: {},
      progress: null,
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

  it('goes from status to status as the table of transitions says, and no other way', () => {
    const place = (status: RunStatus): void => {
      db.prepare('UPDATE runs SET status = ? WHERE id = ?').run(status, 'r1');
    };
    const go = (status: RunStatus): void => {
      if (status === 'failed') runs.fail('r1', new NamesakeError('disk.full', 'x'));
      else if (status === 'done') runs.finish('r1', 'done', 1, result);
      else runs.setStatus('r1', status);
    };
    for (const from of runStatuses) {
      for (const to of runStatuses) {
        place(from);
        if (transitions[from].includes(to)) go(to);
        else expect(thrownBy(() => go(to)).code, `${from} → ${to}`).toBe('internal');
        expect(runs.get('r1').status).toBe(transitions[from].includes(to) ? to : from);
      }
    }
    expect(thrownBy(() => runs.setStatus('nobody', 'running')).code).toBe('run.unknown');
    expect(() => place('sleeping' as 'done')).toThrow(/CHECK/);
  });

  it('keeps why a run failed, with what its words need, until it goes on', () => {
    runs.fail('r1', new NamesakeError('rows.too_long', 'row 3', { row: 3, tokens: 900, max_length: 512 }));
    expect(runs.get('r1')).toMatchObject({
      status: 'failed',
      error: 'rows.too_long',
      error_detail: 'row 3',
      error_params: { row: 3, tokens: 900, max_length: 512 },
    });
    runs.setStatus('r1', 'preparing');
    expect(runs.get('r1')).toMatchObject({ status: 'preparing', error: null, error_detail: null, error_params: {} });
  });

  it('keeps what a run is doing while it goes on', () => {
    const progress = { phase: 'training' as const, done: 3, total: 40, eta_seconds: 12.5 };
    runs.setProgress('r1', progress);
    expect(runs.get('r1').progress).toEqual(progress);
    runs.setStatus('r1', 'running');
    expect(runs.get('r1').progress).toBeNull();
    runs.setProgress('r1', progress);
    runs.setStatus('r1', 'paused');
    runs.setProgress('r1', progress);
    expect(runs.get('r1').progress).toBeNull();
  });

  it('hides a deleted run until it is brought back, and forgets it with all that was measured', () => {
    runs.addMetric('r1', metric(1));
    expect(runs.markDeleted('r1', new Date())).toBe(false);
    runs.setStatus('r1', 'interrupted');
    const at = new Date('2026-01-02T03:04:05.678Z');
    expect(runs.markDeleted('r1', at)).toBe(true);
    expect(runs.deleted()).toEqual(new Map([['r1', at]]));
    expect(runs.list()).toEqual([]);
    expect(runs.known()).toEqual(new Map([['r1', { status: 'interrupted', deleted: at }]]));
    expect(thrownBy(() => runs.get('r1')).code).toBe('run.unknown');
    expect(thrownBy(() => runs.setStatus('r1', 'preparing')).code).toBe('run.unknown');
    expect(thrownBy(() => runs.markDeleted('r1', at)).code).toBe('run.unknown');
    runs.markUndeleted('r1');
    expect(runs.get('r1')).toMatchObject({ run: 'r1', status: 'interrupted', step: 1 });
    runs.markDeleted('r1', at);
    runs.forget('r1');
    expect(runs.deleted()).toEqual(new Map());
    expect(runs.metrics('r1')).toEqual([]);
  });

  it('gives a run another name', () => {
    runs.rename('r1', '新名');
    expect(runs.get('r1')).toMatchObject({ name: '新名', recipe: { name: '我的 run' } });
    expect(thrownBy(() => runs.rename('nobody', 'x')).code).toBe('run.unknown');
  });

  it('takes in a run that was found on the disk', () => {
    runs.adopt('found', recipe, [10, 20]);
    expect(runs.get('found')).toMatchObject({ status: 'interrupted', step: 20, recipe });
    expect(runs.checkpoints('found').map(({ step, kept }) => [step, kept])).toEqual([[10, true], [20, true]]);
  });

  it('keeps the result of a finished run', () => {
    runs.setSteps('r1', 44);
    runs.setStatus('r1', 'running');
    runs.finish('r1', 'done', 40, result);
    expect(runs.get('r1')).toMatchObject({ status: 'done', steps: 44, chosen_step: 40, result });
  });

  it('marks runs whose process died, and those alone', () => {
    expect(runs.anyActive).toBe(true);
    for (const status of runStatuses) {
      runs.create(status, recipe);
      db.prepare('UPDATE runs SET status = ? WHERE id = ?').run(status, status);
    }
    runs.markInterrupted();
    const statuses = Object.fromEntries(runStatuses.map((status) => [status, status as string]));
    expect(Object.fromEntries([...runs.known()].map(([id, { status }]) => [id, status]))).toEqual({ ...statuses, r1: 'interrupted', preparing: 'interrupted', running: 'interrupted' });
    expect(runs.anyActive).toBe(false);
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
