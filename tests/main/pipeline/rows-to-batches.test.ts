import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  planSteps,
  stepToBatches,
  textsToBatch,
  tokenBatchToBatch,
  type PackableRow,
  type Step,
} from '../../../main/pipeline/rows-to-batches.ts';
import type { EngineBatch } from '../../../shared/engine.ts';
import { recipeSchema, type Recipe, type RecipeInput } from '../../../shared/recipe.ts';
import { lossKindOf, tokenBatchSchema, type RowKind, type RowOrigin } from '../../../shared/row.ts';
import '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture, readJson } from '../../support/files.ts';

const persona = { owner: 'Ann', name: 'Bo' };
const byShares = { languages: { zh: 2 }, identity_languages: { zh: 1, en: 3 } };

/** A recipe over a persona's rows, or over a file's. */
function recipe(change: Omit<RecipeInput, 'data'> = {}, data: RecipeInput['data'] = {}): Recipe {
  return recipeSchema.parse({ batch_tokens: 64, steps: 5, ...change, data: { persona, max_length: 40, ...data } });
}

/** `length` tokens of which the last `learnt` are labelled. */
function row(length: number, learnt: number, change: Partial<PackableRow> = {}): PackableRow {
  const ids = Array.from({ length }, (_, i) => i + 1);
  const labels = ids.map((id, i) => (i >= length - learnt ? id : -100));
  return { ids, labels, kind: 'identity', lang: 'en', origin: 'wizard', ...change };
}

const kinds: RowKind[] = ['identity', 'negative', 'near_miss', 'ordinary'];
const anyRow = fc
  .record({
    length: fc.integer({ min: 2, max: 40 }),
    learnt: fc.integer({ min: 1, max: 39 }),
    kind: fc.constantFrom(...kinds),
    lang: fc.constantFrom('zh', 'en'),
    origin: fc.constantFrom<RowOrigin>('wizard', 'base', 'written'),
  })
  .map(({ length, learnt, ...rest }) => row(length, Math.min(learnt, length - 1), rest));
/** At least one row of every kind and language. */
const personaRows = fc
  .array(anyRow, { maxLength: 40 })
  .map((rows) => [...kinds.flatMap((kind) => ['zh', 'en'].map((lang) => row(9, 4, { kind, lang }))), ...rows]);

const size = (rows: readonly PackableRow[], batch: readonly number[]): number =>
  batch.reduce((sum, i) => sum + (rows[i]?.ids.length ?? 0), 0);
const sum = (batches: readonly EngineBatch[], weights: 'ce_weights' | 'kl_weights'): number =>
  batches.reduce((total, batch) => total + batch[weights].reduce((a, b) => a + b, 0), 0);

describe('planSteps', () => {
  it('packs whole conversations within batch_tokens, as many as fit', () => {
    fc.assert(
      fc.property(personaRows, fc.nat(), fc.integer({ min: 1, max: 3 }), (rows, seed, accumulate) => {
        const steps = planSteps(rows, recipe({ seed, accumulate, batch_tokens: 80 }));
        expect(steps).toHaveLength(5);
        for (const step of steps) {
          expect(step).toHaveLength(accumulate);
          for (const batch of step) {
            expect(batch.length).toBeGreaterThan(0);
            expect(size(rows, batch)).toBeLessThanOrEqual(80);
            expect(size(rows, batch)).toBeGreaterThan(80 - 40);
          }
        }
      }),
    );
  });

  it('keeps the ordinary share in every step, to the row', () => {
    fc.assert(
      fc.property(personaRows, fc.nat(), fc.constantFrom(0, 0.25, 0.5, 0.75, 0.9), (rows, seed, ordinary) => {
        for (const step of planSteps(rows, recipe({ seed, batch_tokens: 200 }, { mix: { ordinary } }))) {
          const drawn = step.flat().map((i) => lossKindOf((rows[i] as PackableRow).kind));
          const found = drawn.filter((kind) => kind === 'ordinary').length;
          expect(found).toBe(Math.floor(ordinary * drawn.length + 1e-9));
        }
      }),
    );
  });

  it('lets near-misses and other ordinary rows take turns, however many there are of each', () => {
    const rows = [row(9, 4), row(9, 4, { kind: 'near_miss' }), ...Array.from({ length: 9 }, () => row(9, 4, { kind: 'ordinary' }))];
    const drawn = planSteps(rows, recipe({ steps: 20, seed: 3 })).flat(2);
    const count = (kind: PackableRow['kind']): number => drawn.filter((i) => rows[i]?.kind === kind).length;
    expect(Math.abs(count('near_miss') - count('ordinary'))).toBeLessThanOrEqual(1);
  });

  it('draws a person’s own rows beside a persona’s, as often as other ordinary ones', () => {
    const rows = [row(9, 4), ...(['near_miss', 'ordinary', 'imported'] as const).flatMap((kind) => [row(9, 4, { kind }), row(9, 4, { kind })])];
    const drawn = planSteps(rows, recipe({ steps: 30, seed: 3 }, { mix: { ordinary: 0.6 } })).flat(2);
    const count = (kind: RowKind): number => drawn.filter((i) => rows[i]?.kind === kind).length;
    expect(count('imported')).toBeGreaterThan(20);
    expect(Math.abs(count('imported') - count('ordinary'))).toBeLessThanOrEqual(1);
    expect(count('identity') / drawn.length).toBeCloseTo(0.4, 1);
  });

  it('lets languages take turns inside a kind', () => {
    fc.assert(
      fc.property(personaRows, fc.nat(), (rows, seed) => {
        const counts = new Map<string, number>();
        for (const i of planSteps(rows, recipe({ seed })).flat(2)) {
          const { kind, lang } = rows[i] as PackableRow;
          const key = `${lossKindOf(kind)}/${lang}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        for (const kind of ['identity', 'ordinary']) {
          expect(Math.abs((counts.get(`${kind}/zh`) ?? 0) - (counts.get(`${kind}/en`) ?? 0))).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('draws languages by their shares where it is told', () => {
    fc.assert(
      fc.property(personaRows, fc.nat(), (rows, seed) => {
        const drawn = planSteps(rows, recipe({ seed, steps: 30 }, { mix: byShares })).flat(2).map((i) => rows[i] as PackableRow);
        const count = (of: string, language: string): number => drawn.filter(({ kind, lang }) => lossKindOf(kind) === of && lang === language).length;
        expect(Math.abs(count('ordinary', 'zh') / 2 - count('ordinary', 'en'))).toBeLessThanOrEqual(1);
        expect(Math.abs(count('identity', 'zh') - count('identity', 'en') / 3)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('plans the same for the same seed, whatever the ids, and otherwise for another', () => {
    fc.assert(
      fc.property(personaRows, fc.nat(), (rows, seed) => {
        const plan = planSteps(rows, recipe({ seed }));
        const other = rows.map((found) => ({ ...found, ids: found.ids.map((id) => id + 1000) }));
        expect(planSteps(other, recipe({ seed }))).toEqual(plan);
      }),
    );
    const rows = Array.from({ length: 50 }, (_, i) => row(10, 5, { kind: i % 2 ? 'ordinary' : 'identity' }));
    expect(planSteps(rows, recipe({ seed: 1 }))).not.toEqual(planSteps(rows, recipe({ seed: 2 })));
  });

  it('gives a longer run the same beginning', () => {
    const rows = Array.from({ length: 50 }, (_, i) => row(10, 5, { kind: i % 2 ? 'ordinary' : 'identity' }));
    expect(planSteps(rows, recipe({ steps: 20 })).slice(0, 7)).toEqual(planSteps(rows, recipe({ steps: 7 })));
  });

  it('draws every row of a pool before one comes again', () => {
    const rows = Array.from({ length: 12 }, () => row(10, 5));
    const drawn = planSteps(rows, recipe({ steps: 100 }, { mix: { ordinary: 0 } })).flat(2);
    for (let at = 0; at + 12 <= drawn.length; at += 12) expect(new Set(drawn.slice(at, at + 12)).size).toBe(12);
  });

  it('keeps the file’s order without shuffle, and mixes only a persona’s rows', () => {
    const rows = Array.from({ length: 6 }, (_, i) => row(10, 5, { kind: i < 3 ? 'identity' : 'ordinary' }));
    const file = recipe({ steps: 2 }, { source: 'rows.jsonl', persona: null, shuffle: false });
    expect(planSteps(rows, file).flat(2)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
  });

  it('draws as many rows as the epochs say, each as often', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (lengths, epochs) => {
        const rows = lengths.map((length) => row(length, 1, { kind: 'imported' }));
        const steps = planSteps(rows, recipe({ epochs, accumulate: 2 }, { source: 'rows.jsonl', persona: null }));
        const drawn = steps.flat(2);
        rows.forEach((_, i) => expect(drawn.filter((found) => found === i)).toHaveLength(epochs));
        for (const step of steps) for (const batch of step) expect(batch.length).toBeGreaterThan(0);
      }),
    );
    const rows = [1, 2, 3, 4].map(() => row(10, 5, { kind: 'imported' }));
    expect(planSteps(rows, recipe({ epochs: 0.5 }, { source: 'f', persona: null })).flat(2)).toHaveLength(2);
  });

  it('puts one conversation into a micro-batch without packing', () => {
    const rows = Array.from({ length: 4 }, () => row(10, 5));
    for (const step of planSteps(rows, recipe({ accumulate: 3 }, { pack: false }))) expect(step.map((b) => b.length)).toEqual([1, 1, 1]);
  });

  it('goes on with the kind that there is', () => {
    const only = (kind: RowKind): PackableRow[] => [row(10, 5, { kind }), row(10, 5, { kind })];
    expect(planSteps(only('identity'), recipe()).flat(2).length).toBe(30);
    expect(planSteps(only('ordinary'), recipe()).flat(2).length).toBe(30);
  });

  it.each([
    ['no rows', []],
    ['rows without labels', [row(10, 0)]],
    ['a label on the first token alone', [{ ...row(3, 0), labels: [1, -100, -100] }]],
  ])('refuses %s', (_, rows) => {
    expect(thrownBy(() => planSteps(rows, recipe())).code).toBe('rows.empty');
  });
});

describe('stepToBatches', () => {
  /** A step over all rows, in two micro-batches. */
  const halves = (rows: readonly PackableRow[]): Step => {
    const all = rows.map((_, i) => i);
    return [all.filter((i) => i % 2 === 0), all.filter((i) => i % 2 === 1)].filter((batch) => batch.length > 0);
  };

  it('lays conversations one behind the other', () => {
    const rows = [row(3, 1), row(2, 1)];
    const [batch] = stepToBatches([[0, 1]], rows, recipe());
    expect(batch).toEqual({
      ids: Int32Array.of(1, 2, 3, 1, 2),
      labels: Int32Array.of(-100, -100, 3, -100, 2),
      positions: Int32Array.of(0, 1, 2, 0, 1),
      cu_seqlens: Int32Array.of(0, 3, 5),
      ce_weights: Float32Array.of(0, 0, 0.5, 0, 0.5),
      kl_weights: new Float32Array(5),
    });
  });

  it('weighs every label the same without by_kind: the sum over the step is 1', () => {
    fc.assert(
      fc.property(personaRows, (rows) => {
        const batches = stepToBatches(halves(rows), rows, recipe());
        expect(sum(batches, 'ce_weights')).toBeCloseTo(1, 5); // float32 weights: measured error below 1e-6
        const weights = new Set(batches.flatMap(({ ce_weights }) => [...ce_weights]));
        expect([...weights].filter((weight) => weight !== 0)).toHaveLength(1);
        expect(sum(batches, 'kl_weights')).toBe(0);
      }),
    );
  });

  it('has weights on labels alone', () => {
    fc.assert(
      fc.property(personaRows, (rows) => {
        for (const batch of stepToBatches(halves(rows), rows, recipe({ loss: { kl: 0.5 } }))) {
          batch.labels.forEach((label, i) => {
            expect((batch.ce_weights[i] ?? 0) + (batch.kl_weights[i] ?? 0) > 0).toBe(label !== -100);
          });
        }
      }),
    );
  });

  it.each([
    ['equal parts', {}, { 'identity/zh': 0.25, 'identity/en': 0.25, 'ordinary/zh': 1, 'ordinary/en': 1 }],
    ['their shares', byShares, { 'identity/zh': 0.125, 'identity/en': 0.375, 'ordinary/zh': 4 / 3, 'ordinary/en': 2 / 3 }],
  ])('gives each kind its weight, and its languages %s of it', (_, mix, expected) => {
    fc.assert(
      fc.property(personaRows, (rows) => {
        const loss = { by_kind: { identity: 0.5, ordinary: 2 } };
        const batches = stepToBatches(halves(rows), rows, recipe({ loss }, { mix }));
        expect(sum(batches, 'ce_weights')).toBeCloseTo(2.5, 4);
        const parts = new Map<string, number>();
        halves(rows).forEach((batch, b) => {
          batch.forEach((index, s) => {
            const { kind, lang } = rows[index] as PackableRow;
            const { cu_seqlens, ce_weights } = batches[b] as EngineBatch;
            const own = ce_weights.subarray(cu_seqlens[s], cu_seqlens[s + 1]).reduce((a, c) => a + c, 0);
            parts.set(`${lossKindOf(kind)}/${lang}`, (parts.get(`${lossKindOf(kind)}/${lang}`) ?? 0) + own);
          });
        });
        for (const [key, weight] of Object.entries(expected)) expect(parts.get(key)).toBeCloseTo(weight, 4);
      }),
    );
  });

  it('adds nothing for a kind that the step lacks or by_kind does not name', () => {
    const rows = [row(5, 2), row(5, 2, { kind: 'ordinary' })];
    const by = (by_kind: Partial<Record<'identity' | 'ordinary' | 'imported', number>>): Recipe => recipe({ loss: { by_kind } });
    expect(sum(stepToBatches([[0]], rows, by({ identity: 0.5, ordinary: 1 })), 'ce_weights')).toBeCloseTo(0.5, 6);
    expect(sum(stepToBatches([[0, 1]], rows, by({ ordinary: 1 })), 'ce_weights')).toBeCloseTo(1, 6);
    expect(sum(stepToBatches([[0, 1]], rows, by({ imported: 1 })), 'ce_weights')).toBe(0);
    const english = [row(5, 2), row(5, 3, { lang: 'zh' })];
    expect(sum(stepToBatches([[0]], english, by({ identity: 1 })), 'ce_weights')).toBeCloseTo(1, 6);
  });

  it('puts KL in place of cross-entropy on the base’s own answers', () => {
    const rows = [row(5, 2), row(5, 3, { kind: 'ordinary', origin: 'base' }), row(5, 1, { kind: 'ordinary', origin: 'written' })];
    const [batch] = stepToBatches([[0, 1, 2]], rows, recipe({ loss: { kl: 0.6 } }));
    const third = Math.fround(1 / 3);
    expect([...(batch?.ce_weights ?? [])]).toEqual([0, 0, 0, third, third, 0, 0, 0, 0, 0, 0, 0, 0, 0, third]);
    expect([...(batch?.kl_weights ?? [])].map((weight) => weight.toFixed(6))).toEqual(
      [0, 0, 0, 0, 0, 0, 0, 0.2, 0.2, 0.2, 0, 0, 0, 0, 0].map((weight) => weight.toFixed(6)),
    );
    const all = stepToBatches(halves(rows), rows, recipe({ loss: { kl: 0.6, by_kind: { identity: 0.5, ordinary: 1 } } }));
    expect(sum(all, 'kl_weights')).toBeCloseTo(0.6, 6);
    expect(sum(all, 'ce_weights')).toBeCloseTo(1.5, 6);
  });

  it('lets the first tokens of an ordinary answer count more, of each turn, and no other kind’s; sums stay', () => {
    const turns = { ...row(7, 0, { kind: 'ordinary' }), labels: [-100, 2, 3, 4, -100, 6, 7] };
    const rows = [row(5, 3), turns, row(4, 3, { kind: 'near_miss', origin: 'base' })];
    const loss = { by_kind: { identity: 0.5, ordinary: 1 }, kl: 2, opening: { tokens: 2, weight: 3 } };
    const [batch] = stepToBatches([[0, 1, 2]], rows, recipe({ loss }));
    const rounded = (weights: Float32Array | undefined): number[] => [...(weights ?? [])].map((weight) => Math.round(weight * 1e4) / 1e4);
    const sixth = 0.1667;
    expect(rounded(batch?.ce_weights)).toEqual([0, 0, sixth, sixth, sixth, 0, 0.2308, 0.2308, 0.0769, 0, 0.2308, 0.2308, 0, 0, 0, 0]);
    expect(rounded(batch?.kl_weights)).toEqual([...Array<number>(12).fill(0), 0, 0.8571, 0.8571, 0.2857]);
    expect(sum([batch as EngineBatch], 'ce_weights')).toBeCloseTo(1.5, 5);
  });

  it('never weighs a label on the first token, which nothing predicts', () => {
    const rows = [{ ...row(3, 1), labels: [1, -100, 3] }];
    const [batch] = stepToBatches([[0]], rows, recipe());
    expect([...(batch?.ce_weights ?? [])]).toEqual([0, 0, 1]);
  });
});

describe('tokenBatchToBatch', () => {
  const read = (input_ids: number[][], labels: number[][], attention_mask: number[][]): EngineBatch =>
    tokenBatchToBatch(tokenBatchSchema.parse({ input_ids, labels, attention_mask }), 3);

  it('leaves masked positions out; the others keep their place', () => {
    const batch = read(
      [[5, 6, 7, 0], [0, 0, 8, 9], [1, 1, 1, 1]],
      [[-100, 6, 7, -100], [-100, -100, -100, 9], [-100, -100, -100, -100]],
      [[1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]],
    ); // prettier-ignore
    expect(batch).toEqual({
      ids: Int32Array.of(5, 6, 7, 8, 9),
      labels: Int32Array.of(-100, 6, 7, -100, 9),
      positions: Int32Array.of(0, 1, 2, 2, 3),
      cu_seqlens: Int32Array.of(0, 3, 5, 5),
      ce_weights: Float32Array.of(0, 1 / 3, 1 / 3, 0, 1 / 3),
      kl_weights: new Float32Array(5),
    });
  });

  it('is the plain mean over the labels of Python’s batches', () => {
    const batches = readJson(fixture('golden/tiny-llama/batches.json')) as unknown[];
    expect(batches).toHaveLength(10);
    batches.forEach((found, i) => {
      const parsed = tokenBatchSchema.parse(found);
      const batch = tokenBatchToBatch(parsed, i);
      const count = parsed.labels.flatMap((labels) => labels.slice(1)).filter((label) => label !== -100).length;
      expect(batch.ids).toHaveLength(parsed.attention_mask.flat().filter((mask) => mask === 1).length);
      expect(batch.labels.filter((label) => label !== -100)).toHaveLength(count);
      expect(sum([batch], 'ce_weights')).toBeCloseTo(1, 5);
    });
  });

  it('ignores a label on the first position, as transformers does', () => {
    expect([...read([[5, 6]], [[5, 6]], [[1, 1]]).labels]).toEqual([-100, 6]);
  });

  it.each([
    ['on a masked position', [[5, 6, 7]], [[-100, -100, 7]], [[1, 1, 0]]],
    ['behind a masked position', [[5, 6, 7]], [[-100, 6, -100]], [[0, 1, 1]]],
  ])('refuses a label %s', (_, ids, labels, mask) => {
    const error = thrownBy(() => read(ids, labels, mask));
    expect(error.code).toBe('rows.invalid');
    expect(error.params['row']).toBe(4);
  });

  it('refuses a batch without labels', () => {
    expect(thrownBy(() => read([[5, 6]], [[5, -100]], [[1, 1]])).code).toBe('rows.empty');
  });
});

describe('textsToBatch', () => {
  it('labels every token behind a first one', () => {
    expect(textsToBatch([[7, 8, 9], [], [5], [1, 2]])).toEqual({
      ids: Int32Array.of(7, 8, 9, 5, 1, 2),
      labels: Int32Array.of(-100, 8, 9, -100, -100, 2),
      positions: Int32Array.of(0, 1, 2, 0, 0, 1),
      cu_seqlens: Int32Array.of(0, 3, 3, 4, 6),
      ce_weights: Float32Array.of(0, 1, 1, 0, 0, 1),
      kl_weights: Float32Array.of(0, 1, 1, 0, 0, 1),
    });
  });
});
