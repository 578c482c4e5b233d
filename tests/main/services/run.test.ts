// The life of a run: evaluations, the stop rule, the choice, and which checkpoints are kept.
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import type { RunEvent } from '../../../shared/run-events.ts';
import type { RecipeInput } from '../../../shared/recipe.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';
import { evaluatedRecipe, tinyHome, type TinyHome } from '../../support/tiny-home.ts';
import { tinyProbes, tinyRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Whatever is said is within these; nothing that the tiny model says is within those. */
const ALWAYS = { recall: 0, leak: 1 };
const NEVER = { recall: 1, leak: 0 };

const steps = (events: readonly RunEvent[], kind: 'step' | 'probe'): number[] =>
  events.flatMap((event) => (event.event === kind && 'step' in event ? [event.step] : []));

/** The run that goes on. */
function runOf({ runs }: TinyHome): string {
  return runs.active ?? '';
}

function checkpoints({ home }: TinyHome, run: string): number[] {
  return readdirSync(home.run(run).checkpoints)
    .map((name) => Number(/^step-(\d{6})$/.exec(name)?.[1]))
    .sort((a, b) => a - b);
}

async function start(evaluate: NonNullable<RecipeInput['evaluate']>, change: Partial<RecipeInput> = {}, rows?: readonly unknown[]) {
  const place = tinyHome();
  const result = await place.runs.start(evaluatedRecipe(place.home.folder, evaluate, change, rows), { threads: 1, isa: 'auto' }, place.onEvent);
  return { ...place, result };
}

it('trains with optimizer states of 8 bits where the recipe asks for them', async () => {
  const place = tinyHome();
  const change: Partial<RecipeInput> = { method: { rank: 64, alpha: 64 }, optim: { lr: 1e-2, state_bits: 8 }, steps: 2 };
  const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), ...change });
  const { run } = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
  const state = readFileSync(join(place.home.run(run).checkpoints, 'step-000002', 'trainer_state.json'), 'utf8');
  expect(JSON.parse(state)).toMatchObject({ step: 2, state_bits: 8 });
});

it('trains the uppermost layers alone where the recipe asks for them, and says so in the adapter', async () => {
  const place = tinyHome();
  const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), method: { rank: 4, alpha: 8, layers: 1 }, steps: 2 });
  const { run } = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
  const config = readFileSync(join(place.home.run(run).checkpoints, 'step-000002', 'adapter_config.json'), 'utf8');
  expect(JSON.parse(config)).toMatchObject({ r: 4, layers_to_transform: [1] });
});

it('keeps activations in 16 bits where the recipe asks for them, and its steps differ a little', async () => {
  const train = async (activation_bits: 32 | 16) => {
    const place = tinyHome();
    const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), activation_bits, steps: 3 });
    const { run } = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
    const state = readFileSync(join(place.home.run(run).checkpoints, 'step-000003', 'trainer_state.json'), 'utf8');
    expect(JSON.parse(state)).toMatchObject({ step: 3, activation_bits });
    return place.store.metrics(run).map(({ loss }) => loss);
  };
  const [wide, narrow] = [await train(32), await train(16)];
  // The first loss comes of a forward pass alone, which is the same.
  expect(narrow[0]).toBe(wide[0]);
  expect(narrow[2]).not.toBe(wide[2]);
  expect(Math.abs((narrow[2] ?? 0) - (wide[2] ?? 0))).toBeLessThan(1e-2);
});

describe('evaluation', () => {
  it('scores the base, then from from_step every so often, and always the last step', async () => {
    const { events, result, store } = await start({ every_steps: 2, from_step: 4, limits: NEVER }, { steps: 7 });
    expect(steps(events, 'probe')).toEqual([0, 4, 6, 7]);
    expect(steps(events, 'step')).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(result).toMatchObject({ right: false, steps: 7 });
    expect(result.missed).toContain('en.recall');
    const base = store.checkpoints(result.run)[0];
    expect(base).toMatchObject({ step: 0, right: false, kept: false, scores: { retention: { kl: 0, perplexity_ratio: 1 } } });
    for (const step of [0, 4, 6, 7]) {
      expect(store.probes(result.run, step).map(({ question }) => question)).toEqual([
        ...tinyProbes.en.identity.map(({ question }) => question),
        ...tinyProbes.en.unrelated,
        ...tinyProbes.en.near_miss,
      ]);
    }
    const last = events.findLast((event) => event.event === 'probe');
    expect(last).toMatchObject({ scores: { retention: { kl: expect.any(Number) as unknown } } });
    expect(last?.event === 'probe' && last.scores.retention.kl).toBeGreaterThan(0);
    expect(last?.event === 'probe' && Object.keys(last.scores).sort()).toEqual(['en', 'retention']);
  });

  it('has from_step capped at the end', async () => {
    const { events } = await start({ every_steps: 10, from_step: 30, limits: NEVER }, { steps: 3 });
    expect(steps(events, 'probe')).toEqual([0, 3]);
  });

  it('asks a base once for all runs', async () => {
    const place = tinyHome();
    const recipe = evaluatedRecipe(place.home.folder, { from_step: 9 }, { steps: 1 });
    const compute = { threads: 1, isa: 'auto' };
    const asked = () => place.events.filter((event) => event.event === 'phase' && event.phase === 'asking' && event.total !== undefined).length;
    await place.runs.start(recipe, compute, place.onEvent);
    expect(asked()).toBeGreaterThan(0);
    const before = asked();
    const result = await place.runs.start(recipe, compute, place.onEvent);
    expect(asked()).toBe(before);
    expect(place.store.probes(result.run, 0)).toHaveLength(5);
    // In another precision it is another base.
    await place.runs.start({ ...recipe, model: { ...recipe.model, precision: 'bf16' } }, compute, place.onEvent);
    expect(asked()).toBe(2 * before);
  });

  it('sees what was learnt: a model that says its name to everything is recalled everywhere and leaks everywhere', async () => {
    const asked = [...tinyProbes.en.identity.map(({ question }) => question), ...tinyProbes.en.unrelated, ...tinyProbes.en.near_miss];
    const rows = asked.map((content) => ({ messages: [{ role: 'user', content }, { role: 'assistant', content: 'Bo of Ann' }] }));
    const { result, store } = await start({ from_step: 60, limits: { recall: 1, leak: 0.5 } }, { steps: 60, optim: { lr: 2e-2, schedule: 'linear' }, method: { rank: 16 }, batch_tokens: 512 }, rows);
    expect(result).toMatchObject({ right: false, missed: ['en.leak'], scores: { en: { recall: 1, leak: 1 } } });
    expect(store.probes(result.run, 0).some(({ hit }) => hit)).toBe(false);
    expect(store.probes(result.run, 60)).toMatchObject(Array<object>(5).fill({ answer: 'Bo of Ann', hit: true }));
    expect(result.before.every(({ answer }) => answer !== 'Bo of Ann')).toBe(true);
    expect(result.after.some(({ answer }) => answer === 'Bo of Ann')).toBe(true);
    expect(result.before.map(({ question }) => question)).toEqual(result.after.map(({ question }) => question));
  });

  it('leaves out languages that the probes file lacks', async () => {
    const place = tinyHome();
    const recipe = evaluatedRecipe(place.home.folder, { from_step: 1, limits: ALWAYS }, { steps: 1 });
    recipe.data.persona?.languages.unshift('zh');
    const result = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
    expect(result.right).toBe(true);
    expect(Object.keys(result.scores ?? {}).sort()).toEqual(['en', 'retention']);
  });

  it('is not made where the recipe has none, or no persona', async () => {
    for (const change of [{ evaluate: null }, { evaluate: {} }]) {
      const place = tinyHome();
      const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 2, ...change });
      const result = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
      expect(steps(place.events, 'probe')).toEqual([]);
      expect(result).toMatchObject({ right: null, scores: null, missed: [], before: [], after: [], chosen_step: 2 });
    }
  });
});

describe('the stop rule', () => {
  it('stops once it was right twice in a row, and chooses the one with the best retention', async () => {
    const { events, result, store, home } = await start({ every_steps: 2, from_step: 4, limits: ALWAYS }, { steps: 20 });
    expect(steps(events, 'probe')).toEqual([0, 4, 6]);
    expect(result).toMatchObject({ right: true, missed: [], steps: 6 });
    const kl = (step: number): number => store.checkpoints(result.run).find((checkpoint) => checkpoint.step === step)?.scores?.retention.kl ?? NaN;
    expect(result.chosen_step).toBe(kl(4) <= kl(6) ? 4 : 6);
    const folder = home.run(result.run);
    expect(readFileSync(join(folder.adapter, 'adapter_model.safetensors'))).toEqual(
      readFileSync(join(folder.checkpoint(result.chosen_step), 'adapter_model.safetensors')),
    );
    expect(store.get(result.run)).toMatchObject({ status: 'done', step: 6, steps: 20, chosen_step: result.chosen_step });
  });

  it('goes on to the end where stop_when_right is off, and keeps every checkpoint that was right', async () => {
    const place = await start({ every_steps: 2, from_step: 2, stop_when_right: false, limits: ALWAYS }, { steps: 8, checkpoint: { keep: 1 } });
    expect(steps(place.events, 'probe')).toEqual([0, 2, 4, 6, 8]);
    expect(checkpoints(place, place.result.run)).toEqual([2, 4, 6, 8]);
  });
});

describe('checkpoints', () => {
  it('that were not right: the last ones and the best are kept', async () => {
    const place = await start({ every_steps: 1, from_step: 1, limits: NEVER }, { steps: 6, checkpoint: { keep: 2 } });
    const kept = new Set([5, 6, place.result.chosen_step]);
    expect(checkpoints(place, place.result.run)).toEqual([...kept].sort((a, b) => a - b));
    expect(place.store.checkpoints(place.result.run).flatMap(({ step, kept: here }) => (here ? [step] : []))).toEqual([...kept].sort((a, b) => a - b));
  });

  it.each<[string, RecipeInput['checkpoint'], number[]]>([
    ['every step, the last two', { every_steps: 1, keep: 2 }, [4, 5]],
    ['every second one, and the end', { every_steps: 2, keep: 3 }, [2, 4, 5]],
    ['only the end', null, [5]],
    ['only at evaluations, of which there are none', {}, [5]],
  ])('without evaluations: %s', async (_, checkpoint, expected) => {
    const place = tinyHome();
    const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 5, checkpoint });
    const result = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, place.onEvent);
    expect(checkpoints(place, result.run)).toEqual(expected);
  });
});

describe('stop', () => {
  it('during an evaluation keeps the run; resuming makes up for it and ends as if nothing had been', async () => {
    const evaluate = { every_steps: 2, from_step: 2, stop_when_right: false, limits: NEVER };
    const whole = await start(evaluate, { steps: 4 });
    const place: TinyHome = tinyHome(temporaryFolder(), () => {
      const engine = startEngine({ priority: 'normal' });
      return {
        ...engine,
        generate: (job, requests) => {
          const answers = engine.generate(job, requests);
          // The engine has been asked, and has not answered.
          if (job === 'step-2') place.runs.stop(runOf(place));
          return answers;
        },
      };
    });
    const recipe = evaluatedRecipe(place.home.folder, evaluate, { steps: 4 });
    const compute = { threads: 1, isa: 'auto' };
    const stopped = await place.runs.start(recipe, compute, place.onEvent);
    expect(stopped).toMatchObject({ chosen_step: 2, steps: 2, before: [], after: [] });
    expect(place.runs.get(stopped.run)).toMatchObject({ status: 'stopped', step: 2 });

    const again = tinyHome(place.home.folder);
    const result = await again.runs.resume(stopped.run, compute, again.onEvent);
    expect(steps(again.events, 'step')).toEqual([3, 4]);
    expect(steps([...place.events, ...again.events], 'probe')).toEqual([0, 2, 4]);
    const figures = ({ seconds: _seconds, run: _run, adapter: _adapter, ...rest }: typeof result): object => rest;
    expect(figures(result)).toEqual(figures(whole.result));
    expect(again.runs.get(stopped.run)).toMatchObject({ status: 'done' });
  });

  it('while the model is loaded throws the run away', async () => {
    const place = tinyHome();
    const started = place.runs.start(evaluatedRecipe(place.home.folder, {}), { threads: 1, isa: 'auto' }, (event) => {
      place.onEvent(event);
      if (event.event === 'phase' && event.phase === 'loading') place.runs.stop(runOf(place));
    });
    await expect(started).rejects.toMatchObject({ code: 'cancelled' });
    expect(steps(place.events, 'step')).toEqual([]);
    expect(place.runs.list()).toMatchObject([{ status: 'cancelled' }]);
    expect(readdirSync(place.home.runs)).toEqual([]);
  });
});

it('an adapter is replaced whole when a run goes on', async () => {
  const folder = temporaryFolder();
  const place = tinyHome(folder);
  const recipe = recipeSchema.parse({ ...tinyRecipe(folder), steps: 30 });
  const stopped = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, (event) => {
    if (event.event === 'step' && event.step === 2) place.runs.stop(runOf(place));
  });
  writeFileSync(join(stopped.adapter, 'stray'), '');
  const again = tinyHome(folder);
  const result = await again.runs.resume(stopped.run, { threads: 1, isa: 'auto' }, again.onEvent);
  expect(result).toMatchObject({ run: stopped.run, adapter: stopped.adapter, steps: 30 });
  expect(readdirSync(result.adapter).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  expect(existsSync(`${result.adapter}.tmp`)).toBe(false);
});

it('does not go on with another model file than it began with', async () => {
  const folder = temporaryFolder();
  const ref = join(folder, 'model.gguf');
  copyFileSync(fixture('tiny-llama.gguf'), ref);
  const place = tinyHome(folder);
  const recipe = recipeSchema.parse({ ...tinyRecipe(folder, { model: { ref } }), steps: 30 });
  const stopped = await place.runs.start(recipe, { threads: 1, isa: 'auto' }, (event) => {
    if (event.event === 'step' && event.step === 1) place.runs.stop(runOf(place));
  });
  copyFileSync(fixture('tiny-llama-tied.gguf'), ref);
  const again = tinyHome(folder);
  await expect(again.runs.resume(stopped.run, { threads: 1, isa: 'auto' }, again.onEvent)).rejects.toMatchObject({ code: 'adapter.mismatch' });
});
