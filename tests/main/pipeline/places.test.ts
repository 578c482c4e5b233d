// Places of rows: those of the plan that training follows, also where the plan itself is too long to be kept.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_STEPS, planPlaces, type PlannedRow } from '../../../main/pipeline/places.ts';
import { planSteps } from '../../../main/pipeline/rows-to-batches.ts';
import { recipeSchema, type Recipe, type RecipeInput } from '../../../shared/recipe.ts';
import { rowKinds } from '../../../shared/row.ts';
import '../../support/arbitrary.ts';

const recipe = (change: Partial<RecipeInput>): Recipe =>
  recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo' }, max_length: 64 }, batch_tokens: 64, ...change });

const row = (number: number, kind: PlannedRow['kind'], length: number, lang = 'en'): PlannedRow => ({ number, kind, lang, ids: { length } });

describe('planPlaces', () => {
  it('finds each row where training packs it first, and counts how often it comes', async () => {
    const rows = fc.array(fc.record({ kind: fc.constantFrom(...rowKinds), lang: fc.constantFrom('zh', 'en'), length: fc.integer({ min: 2, max: 64 }) }), { minLength: 1, maxLength: 30 });
    const plans = fc.record({ steps: fc.integer({ min: 1, max: 20 }), accumulate: fc.integer({ min: 1, max: 3 }), seed: fc.nat(1000), epochs: fc.constantFrom(null, 0.5, 2) });
    await fc.assert(
      fc.asyncProperty(rows, plans, async (list, change) => {
        const planned = list.map(({ kind, lang, length }, i) => row(100 + i, kind, length, lang));
        const learnt = planned.map(({ ids: { length }, ...rest }) => ({ ...rest, origin: 'file' as const, ids: Array<number>(length).fill(1), labels: Array<number>(length).fill(1) }));
        const plan = planSteps(learnt, recipe(change));
        const places = await planPlaces(planned, recipe(change));
        expect(places).toMatchObject({ steps: plan.length, looked_at: plan.length });
        planned.forEach(({ number }, i) => {
          const times = plan.flat(2).filter((drawn) => drawn === i).length;
          const step = plan.findIndex((parts) => parts.flat().includes(i));
          if (times === 0) return expect(places.find(number)).toBeNull();
          const part = plan[step]?.findIndex((batch) => batch.includes(i)) ?? -1;
          const batch = plan[step]?.[part] ?? [];
          expect(places.find(number)).toEqual({
            times,
            first: {
              step: step + 1,
              part: part + 1,
              parts: change.epochs === null ? change.accumulate : plan[step]?.length,
              tokens: batch.reduce((sum, one) => sum + (planned[one]?.ids.length ?? 0), 0),
              rows: batch.map((one) => ({ number: 100 + one, kind: planned[one]?.kind, tokens: planned[one]?.ids.length, this: one === i })),
            },
          });
        });
      }),
    );
  });

  it('looks at the first steps of a plan of a million', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => row(i, i % 2 === 0 ? 'identity' : 'ordinary', 10));
    const places = await planPlaces(rows, recipe({ steps: 1_000_000 }));
    expect(places).toMatchObject({ steps: 1_000_000, looked_at: MOST_STEPS });
    expect(places.find(0)?.times).toBeGreaterThan(1);
  });

  it('holds nobody up meanwhile', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => row(i, i % 2 === 0 ? 'identity' : 'ordinary', 10));
    let heard = 0;
    const other = setInterval(() => heard++, 1);
    // Large steps: ten slices of time and more, on a fast machine too.
    await planPlaces(rows, recipe({ steps: 1_000_000, batch_tokens: 64_000 }));
    clearInterval(other);
    expect(heard).toBeGreaterThan(0);
  });

  it('does not say how many steps there are where epochs have more than were looked at', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => row(i, 'identity', 40));
    expect(await planPlaces(rows, recipe({ epochs: 1000 }))).toMatchObject({ steps: null, looked_at: MOST_STEPS });
  });

  it('looks at no step where one alone would draw more rows than anyone waits for, unless epochs end it', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => row(i, 'identity', 2));
    const huge = { batch_tokens: 1_048_576, accumulate: 1024 };
    const places = await planPlaces(rows, recipe({ ...huge, steps: 3 }));
    expect(places).toMatchObject({ steps: 3, looked_at: 0 });
    expect(places.find(0)).toBeNull();
    expect((await planPlaces(rows, recipe({ ...huge, epochs: 2 }))).find(0)?.times).toBe(2);
  });

  it('ends where no row has a token', async () => {
    const places = await planPlaces([row(1, 'identity', 0)], recipe({ steps: 2, batch_tokens: 64 }));
    expect(places.find(1)?.times).toBe(128);
  });

  it('has no place for a row that no step draws, or that is not there', async () => {
    const { find } = await planPlaces([row(1, 'identity', 10), row(2, 'ordinary', 10)], recipe({ steps: 3, data: { persona: { owner: 'Ann', name: 'Bo' }, max_length: 64, mix: { ordinary: 0 } } }));
    expect(find(1)).not.toBeNull();
    expect(find(2)).toBeNull();
    expect(find(3)).toBeNull();
  });
});
