// Batch size: how many tokens the largest micro-batch of a run has, and how many of them the engine computes. What all of a
// batch's conversations begin with is computed once (native/engine/packed.h).
import type { Recipe } from '../../shared/recipe.ts';
import { rowsToDraw, type MicroBatch, type PackableRow, type PlannableRow, type Step } from './rows-to-batches.ts';

const IGNORED = -100;
/** The engine shares no beginning that is shorter: copying would cost more than it saves. */
const SHORTEST_SHARED = 4;

/** Tokens of a micro-batch: as they are written out, and those that are computed. */
export interface BatchSize {
  tokens: number;
  packed: number;
}

/** Tokens that all these rows begin with, before the first one that predicts a label and before the last one of any. */
function sharedBeginning(rows: readonly PackableRow[]): number {
  const [first] = rows;
  if (first === undefined || rows.length < 2) return 0;
  let shared = first.ids.length - 1;
  for (const { ids, labels } of rows) {
    const label = labels.findIndex((id, i) => i > 0 && id !== IGNORED);
    shared = Math.min(shared, ids.length - 1, label === -1 ? Infinity : label - 1);
    for (let i = 0; i < shared; i++) if (ids[i] !== first.ids[i]) shared = i;
  }
  return shared < SHORTEST_SHARED ? 0 : shared;
}

/** The size of one micro-batch of these rows. */
function batchSize(batch: MicroBatch, rows: readonly PackableRow[]): BatchSize {
  const own = batch.map((i) => rows[i] as PackableRow);
  const tokens = own.reduce((sum, { ids }) => sum + ids.length, 0);
  return { tokens, packed: tokens - Math.max(0, own.length - 1) * sharedBeginning(own) };
}

/** The most of both in any micro-batch of these steps; at least 1. Holds one step at a time. */
export function largestBatch(steps: Iterable<Step>, rows: readonly PackableRow[]): BatchSize {
  const most = { tokens: 1, packed: 1 };
  for (const step of steps) {
    for (const batch of step) {
      const { tokens, packed } = batchSize(batch, rows);
      most.tokens = Math.max(most.tokens, tokens);
      most.packed = Math.max(most.packed, packed);
    }
  }
  return most;
}

/** How many rows one step may draw at most: steps are planned as wholes, and a recipe may ask for very large ones. */
export function mostRowsInStep(rows: readonly PlannableRow[], recipe: Recipe): number {
  const { accumulate, batch_tokens, data } = recipe;
  const shortest = rows.reduce((least, { ids }) => Math.min(least, ids.length), batch_tokens);
  return Math.min(rowsToDraw(recipe, rows), accumulate * (data.pack ? Math.ceil(batch_tokens / Math.max(1, shortest)) : 1));
}
