// What a person may ask of a run while it goes on: pause, stop and keep, throw away; and what others see of it meanwhile.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { draftRows } from '../../../main/services/rows.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import type { RunEvent, RunResult } from '../../../shared/run-events.ts';
import { runStatuses, transitions, type RunStatus } from '../../../shared/run.ts';
import { thrownBy } from '../../support/errors.ts';
import { childrenOf } from '../../support/processes.ts';
import { evaluatedRecipe, tinyHome, type TinyHome } from '../../support/tiny-home.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const compute = { threads: 1, isa: 'auto' };
/** Nothing that the tiny model says is right. */
const evaluate = { every_steps: 2, from_step: 2, stop_when_right: false, limits: { recall: 1, leak: 0 } };

const recipeOf = ({ home }: TinyHome): Recipe => evaluatedRecipe(home.folder, evaluate, { steps: 5 });

/** What a run ended with, but for times and places. */
function figures(place: TinyHome, { seconds: _seconds, run, adapter, ...rest }: RunResult): object {
  const metrics = place.store.metrics(run).map(({ tokens_per_second: _speed, ...metric }) => metric);
  return { ...rest, metrics, adapter: readFileSync(join(adapter, 'adapter_model.safetensors')) };
}

async function whole(): Promise<object> {
  const place = tinyHome();
  return figures(place, await place.runs.start(recipeOf(place), compute, place.onEvent));
}

/** Starts (or resumes) a run and does `act` at the first event that `at` accepts. */
function interrupted(place: TinyHome, at: (event: RunEvent) => boolean, act: (run: string) => void, run?: string): Promise<RunResult> {
  let done = false;
  const onEvent = (event: RunEvent): void => {
    place.onEvent(event);
    if (done || !at(event)) return;
    done = true;
    act(place.runs.active ?? '');
  };
  return run === undefined ? place.runs.start(recipeOf(place), compute, onEvent) : place.runs.resume(run, compute, onEvent);
}

const inPhase = (phase: string) => (event: RunEvent) => event.event === 'phase' && event.phase === phase;
const statuses = (events: readonly RunEvent[]): RunStatus[] => events.flatMap((event) => (event.event === 'status' ? [event.status] : []));
const onlyRun = (place: TinyHome): string => place.store.list()[0]?.run ?? '';

describe('the table of transitions', () => {
  it('leads from everything that goes on to an end, and from every end but two back', () => {
    for (const status of runStatuses) {
      const goesOn = status === 'preparing' || status === 'running';
      const over = status === 'done' || status === 'cancelled';
      expect(transitions[status].length, status).toBe(over ? 0 : goesOn ? 6 : 1);
      if (!goesOn && !over) expect(transitions[status]).toEqual(['preparing']);
    }
  });
});

describe('pause', () => {
  const moments: [string, (event: RunEvent) => boolean][] = [
    ['before the model is looked for', (event) => event.event === 'run'],
    ['while the model is looked for', inPhase('fetching')],
    ['while the model is loaded', inPhase('loading')],
    ['while the base is asked', (event) => inPhase('asking')(event) && 'done' in event && event.done === 0],
    ['at the first step', (event) => event.event === 'step'],
    ['at a step that is saved anyway', (event) => event.event === 'step' && event.step === 4],
    ['while a checkpoint is saved', inPhase('saving')],
    ['while it is checked', inPhase('checking')],
    ['at the last step', (event) => event.event === 'step' && event.step === 5],
    ['while before and after are compared', inPhase('comparing')],
  ];
  it('at any moment loses nothing: resumed, the run ends as one that was left alone', async () => {
    const expected = await whole();
    for (const [when, at] of moments) {
      const place = tinyHome();
      await expect(interrupted(place, at, (run) => place.runs.pause(run)), when).rejects.toMatchObject({ code: 'cancelled' });
      const run = onlyRun(place);
      expect(place.runs.get(run), when).toMatchObject({ status: 'paused', chosen_step: null, error: null, progress: null });
      expect(statuses(place.events).at(-1), when).toBe('paused');
      expect(existsSync(place.home.trainerLock), when).toBe(false);
      const result = await place.runs.resume(run, compute, place.onEvent);
      expect(figures(place, result), when).toEqual(expected);
      expect(place.runs.get(run), when).toMatchObject({ status: 'done' });
      const seen = place.events.flatMap((event) => (event.event === 'step' ? [event.step] : []));
      expect(seen, when).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it('can be asked for again and again', async () => {
    const expected = await whole();
    const place = tinyHome();
    const step = (event: RunEvent): boolean => event.event === 'step';
    await expect(interrupted(place, step, (run) => place.runs.pause(run))).rejects.toMatchObject({ code: 'cancelled' });
    const run = onlyRun(place);
    for (let steps = 2; steps < 5; steps++) {
      await expect(interrupted(place, step, () => place.runs.pause(run), run)).rejects.toMatchObject({ code: 'cancelled' });
      expect(place.runs.get(run)).toMatchObject({ status: 'paused', step: steps });
    }
    expect(figures(place, await place.runs.resume(run, compute, place.onEvent))).toEqual(expected);
  });

  it('gives way to stop, and stop to cancel, never the reverse', async () => {
    const step = (event: RunEvent): boolean => event.event === 'step' && event.step === 3;
    const place = tinyHome();
    const stopped = await interrupted(place, step, (run) => {
      place.runs.pause(run);
      place.runs.stop(run);
      place.runs.pause(run);
    });
    expect(place.runs.get(stopped.run)).toMatchObject({ status: 'stopped', step: 3, chosen_step: 2 });
    const other = tinyHome();
    const thrownAway = interrupted(other, step, (run) => {
      other.runs.cancel(run);
      other.runs.stop(run);
    });
    await expect(thrownAway).rejects.toMatchObject({ code: 'cancelled' });
    expect(other.runs.list()).toMatchObject([{ status: 'cancelled' }]);
  });
});

describe('stop', () => {
  it('of a resumed run before its next step keeps the best of what there is', async () => {
    for (const phase of ['fetching', 'loading']) {
      const place = tinyHome();
      await expect(interrupted(place, (event) => event.event === 'step' && event.step === 3, (run) => place.runs.pause(run))).rejects.toMatchObject({ code: 'cancelled' });
      const run = onlyRun(place);
      const result = await interrupted(place, inPhase(phase), () => place.runs.stop(run), run);
      expect(result, phase).toMatchObject({ run, chosen_step: 2, steps: 3 });
      expect(readFileSync(join(result.adapter, 'adapter_model.safetensors'))).toEqual(readFileSync(join(place.home.run(run).checkpoint(2), 'adapter_model.safetensors')));
      expect(place.runs.get(run), phase).toMatchObject({ status: 'stopped', step: 3, chosen_step: 2 });
      expect(await place.runs.resume(run, compute, place.onEvent)).toMatchObject({ steps: 5 });
    }
  });
});

describe('cancel', () => {
  it('throws a run away at any moment: its folder goes, its line stays', async () => {
    for (const phase of ['fetching', 'loading', 'asking', 'training', 'saving', 'checking', 'comparing']) {
      const place = tinyHome();
      await expect(interrupted(place, inPhase(phase), (run) => place.runs.cancel(run)), phase).rejects.toMatchObject({ code: 'cancelled' });
      expect(place.runs.list(), phase).toMatchObject([{ status: 'cancelled' }]);
      expect(statuses(place.events).at(-1), phase).toBe('cancelled');
      expect(readdirSync(place.home.runs), phase).toEqual([]);
      await expect(place.runs.resume(onlyRun(place), compute, place.onEvent), phase).rejects.toMatchObject({ code: 'run.not_resumable' });
    }
  });
});

describe('what is asked of a run that does not go on here', () => {
  it('is run.not_active, or run.unknown', async () => {
    const place = tinyHome();
    const { run } = await place.runs.start(recipeOf(place), compute, place.onEvent);
    for (const ask of ['pause', 'stop', 'cancel'] as const) {
      expect(thrownBy(() => place.runs[ask](run))).toMatchObject({ code: 'run.not_active', params: { run } });
      expect(thrownBy(() => place.runs[ask]('nobody')).code).toBe('run.unknown');
    }
    expect(place.runs.active).toBeNull();
    await place.runs.idle();
  });
});

describe('while it goes on', () => {
  it('tells its statuses, refuses a second run, and shows others how far it is', async () => {
    const place = tinyHome();
    const other = tinyHome(place.home.folder);
    const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 100_000, checkpoint: null });
    const seen = new Set<string>();
    let refusal: unknown;
    await place.runs.start(recipe, compute, (event) => {
      place.onEvent(event);
      if (event.event !== 'step') return;
      const run = place.runs.active ?? '';
      const { progress } = other.runs.get(run);
      seen.add(JSON.stringify(progress, (key, value: unknown) => (key === 'done' || key === 'eta_seconds' ? typeof value : value)));
      // A note is written four times a second at most, and a second run is refused when it has waited a while.
      if (refusal !== undefined && progress?.phase === 'training' && progress.done !== null) place.runs.stop(run);
      if (event.step !== 1) return;
      expect(other.runs.details(run)).toMatchObject({ status: 'running', step: 1, steps: 100_000, recipe: { steps: 100_000 } });
      expect(thrownBy(() => other.runs.delete(run))).toMatchObject({ code: 'run.active', params: { run } });
      expect(thrownBy(() => place.runs.delete(run))).toMatchObject({ code: 'run.active' });
      expect(thrownBy(() => other.runs.pause(run))).toMatchObject({ code: 'run.not_active' });
      void other.runs.start(recipe, compute, () => undefined).catch((error: unknown) => (refusal = error));
    });
    expect(refusal).toMatchObject({ code: 'engine.busy' });
    expect(seen).toContain('{"phase":"training","done":"number","total":100000,"eta_seconds":"number"}');
    expect(place.events[0]).toMatchObject({ event: 'run' });
    expect(statuses(place.events)).toEqual(['preparing', 'running', 'stopped']);
    expect(place.runs.get(onlyRun(place)).progress).toBeNull();
    expect(other.runs.list()).toHaveLength(1);
  });

  it('fails with the engine, by its reason, and can be resumed', async () => {
    const expected = await whole();
    const place = tinyHome();
    const engines: number[] = [];
    const before = new Set(childrenOf(process.pid));
    const failed = interrupted(place, (event) => event.event === 'step' && event.step === 3, () => {
      engines.push(...childrenOf(process.pid).filter((pid) => !before.has(pid)));
      for (const pid of engines) process.kill(pid, 'SIGKILL');
    });
    await expect(failed).rejects.toMatchObject({ code: 'engine.crashed' });
    expect(engines).toHaveLength(1);
    const run = onlyRun(place);
    expect(place.runs.get(run)).toMatchObject({ status: 'failed', error: 'engine.crashed' });
    expect(figures(place, await place.runs.resume(run, compute, place.onEvent))).toEqual(expected);
  });
});

describe('a run on rows that were prepared', () => {
  it('is the run that makes the same rows itself, also when it is paused before they are complete', async () => {
    const change = { steps: 2, batch_tokens: 512, evaluate: null, checkpoint: null, data: { source: 'persona', persona: { owner: 'Ann', name: 'Bo', languages: ['en' as const] }, max_length: 512 } };
    const make = (place: TinyHome): Recipe => recipeSchema.parse({ ...tinyRecipe(place.home.folder), ...change });
    const plain = tinyHome();
    const made = await plain.runs.start(make(plain), compute, plain.onEvent);
    const place = tinyHome();
    const recipe = make(place);
    const rows = draftRows(recipe, { weak_languages: [] });
    const paused = place.runs.start(
      recipe,
      compute,
      (event) => {
        place.onEvent(event);
        if (event.event === 'phase' && event.done === 64) place.runs.pause(place.runs.active ?? '');
      },
      rows,
    );
    await expect(paused).rejects.toMatchObject({ code: 'cancelled' });
    const folder = place.home.run(onlyRun(place));
    expect(existsSync(folder.draft)).toBe(true);
    const result = await place.runs.resume(onlyRun(place), compute, place.onEvent);
    expect(readFileSync(folder.rows)).toEqual(readFileSync(plain.home.run(made.run).rows));
    expect(figures(place, result)).toEqual(figures(plain, made));
    expect(existsSync(folder.draft)).toBe(false);
  });

  it('needs rows, and no token batches beside them', async () => {
    const place = tinyHome();
    await expect(place.runs.start(recipeOf(place), compute, place.onEvent, [])).rejects.toMatchObject({ code: 'rows.empty' });
    expect(place.runs.list()).toEqual([]);
  });
});
