// Places: where each row is in the steps of training, from the same plan that training follows, without keeping the plan.
import type { Recipe } from '../../shared/recipe.ts';
import type { PackedPart } from '../../shared/row-life.ts';
import { mostRowsInStep } from './batch-size.ts';
import { walkSteps, type MicroBatch, type PlannableRow } from './rows-to-batches.ts';
import { Slices } from './slices.ts';

/** Further than these nobody looks: a plan may have a million steps. */
export const MOST_STEPS = 20_000;
const MOST_DRAWN = 2_000_000;

export interface PlannedRow extends PlannableRow {
  /** What the row is asked for by. */
  number: number;
}

export interface Places {
  /** Of the whole plan; null where it is counted in epochs and has more than were looked at. */
  steps: number | null;
  looked_at: number;
  /** How often a row is drawn, and where first; null where it is not. */
  find(number: number): { times: number; first: PackedPart } | null;
}

/**
 * Where rows are drawn in the first MOST_STEPS steps. Of the plan only the parts are kept in which some row is drawn first.
 * Lets others run in between. None are looked at where one alone may draw more rows than that. Throws rows.empty where there
 * are no rows.
 */
export async function planPlaces(rows: readonly PlannedRow[], recipe: Recipe, slices = new Slices()): Promise<Places> {
  const times = new Uint32Array(rows.length);
  const firsts = new Map<number, { step: number; part: number; parts: number; batch: MicroBatch }>();
  let looked_at = 0;
  let drawn = 0;
  // Steps that are too large to be planned at all are as if they were too many.
  let whole = mostRowsInStep(rows, recipe) <= MOST_DRAWN;
  for (const step of whole ? walkSteps(rows, recipe) : []) {
    if (looked_at >= MOST_STEPS || drawn >= MOST_DRAWN) {
      whole = false;
      break;
    }
    looked_at++;
    step.forEach((batch, i) => {
      const part = { step: looked_at, part: i + 1, parts: step.length, batch };
      for (const row of batch) {
        if (times[row] === 0) firsts.set(row, part);
        times[row] = (times[row] ?? 0) + 1;
      }
      drawn += batch.length;
    });
    if (slices.over) await slices.pause();
  }
  return {
    steps: recipe.epochs === null ? recipe.steps : whole ? looked_at : null,
    looked_at,
    // Written out when it is asked for: all parts together would be many times the rows.
    find: (number) => {
      const row = rows.findIndex((one) => one.number === number);
      const first = firsts.get(row);
      if (first === undefined) return null;
      const { batch, ...place } = first;
      const packed = batch.flatMap((i) => {
        const found = rows[i];
        return found === undefined ? [] : [{ number: found.number, kind: found.kind, tokens: found.ids.length, this: i === row }];
      });
      const tokens = packed.reduce((sum, one) => sum + one.tokens, 0);
      return { times: times[row] ?? 0, first: { ...place, tokens, rows: packed } };
    },
  };
}
