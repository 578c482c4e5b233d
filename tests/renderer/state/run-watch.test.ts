// The curve that a window shows is the run's own, whatever happens to its connection.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { MOST_WARNINGS, RunWatch, type WatchedRun } from '../../../renderer/state/run-watch.ts';
import type { ApiEvent, RunDetails, StoredMetric } from '../../../shared/api.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import type { RunSummary } from '../../../shared/run.ts';
import { FakeTransport, settle } from '../fake-transport.ts';

const recipe = recipeSchema.parse({ version: 1, name: 'r', model: { ref: 'm' }, data: { source: 'rows.jsonl' } });

function metric(step: number, loss = step): StoredMetric {
  return { step, loss, grad_norm: 1, lr: 1e-3, tokens: 10 * step, tokens_per_second: 5 };
}

function details(steps: number, change: Partial<RunDetails> = {}): RunDetails {
  const metrics = Array.from({ length: steps }, (_, i) => metric(i + 1));
  return {
    run: 'a', name: 'A', status: 'running', step: steps, steps: 100, created_at: '2026-01-01T00:00:00Z', error: null, chosen_step: null,
    recipe, error_detail: null, error_params: {}, checkpoints: [], metrics, engine: null, phase: null, right: null, missed: [], before: [], after: [], folder: '/r', bytes_on_disk: 0, free_disk_bytes: 1e12,
    ...change,
  };
}

function steps(after: number, ...numbers: number[]): ApiEvent {
  return { event: 'steps', run: 'a', after, steps: numbers.map((step) => metric(step)) };
}

function state(step: number, status: RunSummary['status'] = 'running'): ApiEvent {
  const { run, name, steps: all, created_at, error, chosen_step } = details(step);
  return { event: 'run', run, name, status, step, steps: all, created_at, error, chosen_step, progress: null };
}

function watch() {
  const transport = new FakeTransport();
  const api = new Api(transport);
  transport.connect('open');
  const errors: NamesakeError[] = [];
  const shown: WatchedRun[] = [];
  const watched = new RunWatch(api, 'a', (run) => shown.push(run), (error) => errors.push(error));
  const answer = async (result: RunDetails): Promise<void> => {
    transport.asked[0]?.answer(result);
    await settle();
  };
  const curve = (): number[] => watched.run?.metrics.map(({ step }) => step) ?? [];
  return { transport, watched, errors, shown, answer, curve };
}

describe('RunWatch', () => {
  it('begins with the whole curve and goes on with events', async () => {
    const { transport, answer, curve, watched } = watch();
    expect(transport.asked.map(({ name, input }) => [name, input])).toEqual([['runs.get', { run: 'a' }]]);
    await answer(details(2));
    transport.tell(steps(2, 3, 4), state(4));
    expect(curve()).toEqual([1, 2, 3, 4]);
    expect(watched.run?.step).toBe(4);
    expect(transport.asked).toEqual([]);
  });

  it('puts what came while the state was on its way on top of it, once', async () => {
    const { transport, answer, curve } = watch();
    transport.tell(steps(1, 2), steps(2, 3));
    await answer(details(2));
    expect(curve()).toEqual([1, 2, 3]);
  });

  it('lets steps that come again take the place of the earlier ones', async () => {
    const { transport, answer, watched } = watch();
    await answer(details(5));
    transport.tell(steps(3), { event: 'steps', run: 'a', after: 3, steps: [metric(4, 0.5)] });
    expect(watched.run?.metrics.map(({ step, loss }) => [step, loss])).toEqual([[1, 1], [2, 2], [3, 3], [4, 0.5]]);
  });

  it('reads the state where steps are missing, and after the connection was lost', async () => {
    const { transport, answer, curve } = watch();
    await answer(details(2));
    transport.tell(steps(4, 5));
    expect(curve()).toEqual([1, 2]);
    await answer(details(5));
    expect(curve()).toEqual([1, 2, 3, 4, 5]);
    transport.connect('lost');
    transport.connect('open');
    await answer(details(9));
    expect(curve()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    transport.tell({ event: 'lost' });
    expect(transport.asked).toHaveLength(1);
  });

  it('keeps what it shows while the connection is gone, without an error', async () => {
    const { transport, answer, curve, errors } = watch();
    await answer(details(3));
    transport.tell({ event: 'lost' });
    transport.asked[0]?.breakOff();
    await settle();
    expect([curve(), errors]).toEqual([[1, 2, 3], []]);
    transport.connect('lost');
    transport.connect('open');
    await answer(details(4));
    expect(curve()).toEqual([1, 2, 3, 4]);
  });

  it('reads what the run became when it ends, and its scores when there are some', async () => {
    const { transport, answer, watched } = watch();
    await answer(details(3));
    transport.tell(state(3, 'done'));
    await answer(details(3, { status: 'done', chosen_step: 3, right: true }));
    expect(watched.run).toMatchObject({ status: 'done', chosen_step: 3, right: true, phase: null });
    transport.tell({ event: 'probe', run: 'a', step: 3, scores: { retention: { kl: 0, perplexity_ratio: 1 } } });
    expect(transport.asked).toHaveLength(1);
  });

  it('reads once more where that is asked for while it reads', async () => {
    const { transport, answer } = watch();
    transport.tell({ event: 'lost' }, { event: 'lost' });
    expect(transport.asked).toHaveLength(1);
    await answer(details(1));
    expect(transport.asked).toHaveLength(1);
    await answer(details(1));
    expect(transport.asked).toEqual([]);
  });

  it('takes no notice of other runs, nor of anything once it is closed', async () => {
    const { transport, answer, curve, watched, shown } = watch();
    await answer(details(1));
    transport.tell({ event: 'steps', run: 'b', after: 1, steps: [metric(2)] });
    expect(curve()).toEqual([1]);
    watched.close();
    const before = shown.length;
    transport.tell(steps(1, 2), state(2), { event: 'lost' });
    expect([shown.length, transport.asked.length]).toEqual([before, 0]);
  });

  it('keeps all warnings, also those that came before its state, each once, and not without end', async () => {
    const { transport, answer, watched } = watch();
    const damaged = (step: number): ApiEvent => ({ event: 'warning', run: 'a', warning: 'checkpoint_damaged', step, from: step - 1 });
    const elsewhere: ApiEvent = { event: 'warning', run: 'a', warning: 'resumed_elsewhere', began: 'x', now: 'y' };
    transport.tell(elsewhere);
    await answer(details(1));
    transport.tell(damaged(2), damaged(3), damaged(2), { ...damaged(4), run: 'b' } as ApiEvent, { event: 'lost' });
    await answer(details(1));
    expect(watched.run?.warnings).toEqual([elsewhere, damaged(2), damaged(3)]);
    for (let step = 10; step < 40; step++) transport.tell(damaged(step));
    expect(watched.run?.warnings).toHaveLength(MOST_WARNINGS);
    expect(watched.run?.warnings.at(-1)).toEqual(damaged(39));
  });

  it('says that there is no such run', async () => {
    const { transport, errors } = watch();
    transport.asked[0]?.refuse(new NamesakeError('run.unknown', 'a', { run: 'a' }));
    await settle();
    expect(errors.map(({ code }) => code)).toEqual(['run.unknown']);
  });

  it('notices that it was deleted in another window, and that it was brought back', async () => {
    const { transport, answer, errors, shown } = watch();
    await answer(details(1));
    transport.tell({ event: 'runs' });
    expect(transport.asked).toEqual([]);
    transport.tell(state(1, 'stopped'));
    await answer(details(1, { status: 'stopped' }));
    transport.tell({ event: 'runs' });
    transport.asked[0]?.refuse(new NamesakeError('run.unknown', 'a'));
    await settle();
    expect(errors.map(({ code }) => code)).toEqual(['run.unknown']);
    const before = shown.length;
    transport.tell({ event: 'runs' });
    await answer(details(1, { status: 'stopped' }));
    expect(shown).toHaveLength(before + 1);
  });

  /** The core as a window knows it: a curve that grows and goes back, and a log of events on their way to the window. */
  it('ends with the run’s own curve after any order of steps, setbacks, lost events, broken connections and slow answers', async () => {
    const happening = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('step' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), to: fc.nat(20) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('overflow' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('break' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 120 }), async (happenings) => {
        const { transport, watched } = watch();
        let curve: StoredMetric[] = [];
        let value = 0;
        let pending: ApiEvent[] = [];
        const answers = async (): Promise<void> => {
          transport.asked[0]?.answer(details(0, { metrics: [...curve], step: curve.length }));
          await settle();
        };
        for (const happens of happenings) {
          if (happens.kind === 'step') {
            const made = metric(curve.length + 1, ++value);
            pending.push({ event: 'steps', run: 'a', after: curve.length, steps: [made] });
            curve = [...curve, made];
          } else if (happens.kind === 'back') {
            curve = curve.slice(0, Math.min(happens.to, curve.length));
            pending.push({ event: 'steps', run: 'a', after: curve.length, steps: [] });
          } else if (happens.kind === 'deliver') transport.tell(...pending.splice(0, happens.count));
          else if (happens.kind === 'answer') await answers();
          else if (happens.kind === 'overflow') pending = [{ event: 'lost' }];
          else {
            pending = [];
            for (const asked of [...transport.asked]) asked.breakOff();
            transport.connect('lost');
            await settle();
            transport.connect('open');
          }
          const seen = watched.run?.metrics.map(({ step }) => step) ?? [];
          expect(seen).toEqual(seen.map((_, i) => i + 1));
        }
        transport.tell(...pending);
        for (let i = 0; transport.asked.length > 0; i++) {
          expect(i).toBeLessThan(10);
          await answers();
        }
        expect(watched.run?.metrics).toEqual(curve);
        watched.close();
      }),
      { numRuns: 300 },
    );
  });
});
