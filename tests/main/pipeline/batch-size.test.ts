// What is computed of a batch is counted as the engine counts it: room for so many tokens is enough, for one less it is not.
import { expect, it } from 'vitest';
import { largestBatch } from '../../../main/pipeline/batch-size.ts';
import { Random } from '../../../main/pipeline/random.ts';
import { stepToBatches, type PackableRow } from '../../../main/pipeline/rows-to-batches.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { codeOf, openTiny, trainerOptions } from '../engine/tiny.ts';

const recipe = recipeSchema.parse({ data: { persona: { owner: 'A', name: 'B', languages: ['en'] } }, name: 'sizes' });

/** A row that begins with `shared` tokens that others have too, and learns from token `label` on (null: nothing). */
function row(shared: number, length: number, label: number | null, random: Random): PackableRow {
  const ids = Array.from({ length }, (_, i) => (i < shared ? 10 + i : 100 + Math.floor(random.next() * 200)));
  return { ids, labels: ids.map((id, i) => (label !== null && i >= label ? id : -100)), kind: 'identity', lang: 'en', origin: 'wizard' };
}

it('counts a shared beginning once, where it is long enough, before the first label and the last token', () => {
  const random = new Random(1, 'sizes');
  const rows = [row(20, 50, 30, random), row(20, 40, 25, random), row(20, 60, 11, random), row(3, 10, 5, random), row(20, 20, null, random)];
  const size = (...batch: number[]): object => largestBatch([[batch]], rows);
  expect(size(0)).toEqual({ tokens: 50, packed: 50 });
  expect(size(0, 1)).toEqual({ tokens: 90, packed: 70 });
  expect(size(0, 1, 2)).toEqual({ tokens: 150, packed: 130 });
  expect(size(0, 3)).toEqual({ tokens: 60, packed: 60 });
  expect(size(1, 4)).toEqual({ tokens: 60, packed: 41 });
  expect(largestBatch([[[0, 1]], [[0], [2]]], rows)).toEqual({ tokens: 90, packed: 70 });
  expect(largestBatch([], rows)).toEqual({ tokens: 1, packed: 1 });
});

it('is what the engine needs room for', async () => {
  const random = new Random(7, 'sizes');
  const engine = await openTiny();
  try {
    for (let i = 0; i < 12; i++) {
      const rows = Array.from({ length: 2 + Math.floor(random.next() * 4) }, () => {
        const length = 8 + Math.floor(random.next() * 40);
        return row(Math.floor(random.next() * 16), length, 2 + Math.floor(random.next() * (length - 2)), random);
      });
      const step = [rows.map((_, index) => index)];
      const { tokens, packed } = largestBatch([step], rows);
      const batches = stepToBatches(step, rows, recipe);
      await engine.createTrainer({ ...trainerOptions, batch_tokens: tokens, packed_tokens: packed });
      await engine.step(batches);
      await engine.createTrainer({ ...trainerOptions, batch_tokens: tokens, packed_tokens: packed - 1 });
      expect(await codeOf(engine.step(batches)), `round ${i}`).toBe('internal');
    }
  } finally {
    await engine.dispose();
  }
});
