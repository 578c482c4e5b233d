// A run that leaves open what computes it: a card that does not take it leads to the processor before the first step, and the run says why.
import { expect, it, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import type { EngineClient } from '../../../shared/engine.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import { rejectedBy } from '../../support/errors.ts';
import { readJson } from '../../support/files.ts';
import { tinyHome, type TinyHome } from '../../support/tiny-home.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const compute = { threads: 1, isa: 'auto' };
const full = new NamesakeError('gpu.memory_insufficient', 'full');
const lost = new NamesakeError('gpu.failed', 'lost');

/** Engines that say they have a card; what is opened on it is the processor in truth. */
function homeWithCard(change: (real: EngineClient) => Partial<EngineClient>): TinyHome {
  return tinyHome(undefined, () => {
    const real = startEngine({ priority: 'normal' });
    return {
      ...real,
      gpus: () => Promise.resolve({ driver: '12.4', cards: [], chosen: 0, problem: null }),
      planMemory: async (model, question) => ({ ...(await real.planMemory(model, { ...question, device: 'cpu' })), device: 'cuda' }),
      open: (options) => real.open({ ...options, device: 'cpu' }),
      ...change(real),
    };
  });
}

function recipeOf({ home }: TinyHome, device: Recipe['device'] = 'auto'): Recipe {
  return recipeSchema.parse({ ...tinyRecipe(home.folder), steps: 2, device });
}

/** What the run was told of and says of what computed it. */
function saidOf({ events, home, runs }: TinyHome, run: string): { told: unknown[]; written: unknown; shown: unknown } {
  const provenance = readJson(home.run(run).provenance) as { engine: { no_card?: unknown } };
  return { told: events.filter(({ event }) => event === 'warning'), written: provenance.engine.no_card, shown: runs.details(run).engine?.no_card };
}

it('a plan that the card has no room for is the reason', async () => {
  const short = { code: 'gpu.memory_insufficient', detail: 'this needs 3 MB, 2 MB are free' } as const;
  const opened: string[] = [];
  const place = homeWithCard((real) => ({
    planMemory: async (model, question) => ({ ...(await real.planMemory(model, { ...question, device: 'cpu' })), no_card: short }),
    open: (options) => {
      opened.push(options.device);
      return real.open(options);
    },
  }));
  const { run } = await place.runs.start(recipeOf(place), compute, place.onEvent);
  expect(opened).toEqual(['cpu']);
  expect(saidOf(place, run)).toEqual({ told: [{ event: 'warning', warning: 'no_card', ...short }], written: short, shown: short });
});

it.each<[string, NamesakeError, (real: EngineClient, failing: () => boolean) => Partial<EngineClient>]>([
  ['its weights', full, (real, failing) => ({ open: (options) => (failing() ? Promise.reject(full) : real.open({ ...options, device: 'cpu' })) })],
  ['its trainer', full, (real, failing) => ({ createTrainer: (options) => (failing() ? Promise.reject(full) : real.createTrainer(options)) })],
])('a card that has no room for %s in the end leads to the processor', async (_, error, change) => {
  let times = 0;
  const place = homeWithCard((real) => change(real, () => times++ === 0));
  const { run, steps } = await place.runs.start(recipeOf(place), compute, place.onEvent);
  const why = { code: error.code, detail: error.detail };
  expect(steps).toBe(2);
  expect(saidOf(place, run)).toEqual({ told: [{ event: 'warning', warning: 'no_card', ...why }], written: why, shown: why });
});

it('a card that is lost after the first step fails the run: it goes on from there, where its person says', async () => {
  let steps = 0;
  const place = homeWithCard((real) => ({ step: (batches) => (++steps === 2 ? Promise.reject(lost) : real.step(batches)) }));
  expect((await rejectedBy(place.runs.start(recipeOf(place), compute, place.onEvent))).code).toBe('gpu.failed');
  expect(place.runs.list()[0]).toMatchObject({ status: 'failed', step: 1, error: 'gpu.failed' });
  expect(steps).toBe(2);
});

it('a card by its name that has no room fails the run', async () => {
  const place = homeWithCard(() => ({ open: () => Promise.reject(full) }));
  expect((await rejectedBy(place.runs.start(recipeOf(place, 'cuda'), compute, place.onEvent))).code).toBe('gpu.memory_insufficient');
  expect(place.events.filter(({ event }) => event === 'warning')).toEqual([]);
});
