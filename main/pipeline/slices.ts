// Slices: long work on many rows that gives the program back to others every few milliseconds.
import { setImmediate } from 'node:timers/promises';

/** How long work may keep the program from hearing others. */
const SLICE_MS = 20;
/** What is sorted in one go: a fraction of a slice. */
const SORTED_AT_ONCE = 4096;
/** Between two looks at the clock. */
const LOOKED_EVERY = 64;

/** Work that goes through several of the functions below shares one: each of them may begin in a slice that is almost over. */
export class Slices {
  #end = performance.now() + SLICE_MS;

  /** Whether the present slice is over: then `pause` is due. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** Lets others run; the next slice begins after them. */
  async pause(): Promise<void> {
    await setImmediate();
    this.#end = performance.now() + SLICE_MS;
  }
}

/** `make` of every item, in order. */
export async function mapInSlices<T, R>(items: readonly T[], make: (item: T, index: number) => R, slices: Slices): Promise<R[]> {
  const made: R[] = [];
  for (const [i, item] of items.entries()) {
    made.push(make(item, i));
    if (i % LOOKED_EVERY === 0 && slices.over) await slices.pause();
  }
  return made;
}

/** The items in order, equal ones as they were. */
export async function sortInSlices<T>(items: readonly T[], compare: (a: T, b: T) => number, slices: Slices): Promise<T[]> {
  let parts: T[][] = [];
  for (let at = 0; at < items.length; at += SORTED_AT_ONCE) {
    parts.push(items.slice(at, at + SORTED_AT_ONCE).sort(compare));
    if (slices.over) await slices.pause();
  }
  while (parts.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < parts.length; i += 2) merged.push(await merge(parts[i] as T[], parts[i + 1] ?? [], compare, slices));
    parts = merged;
  }
  return parts[0] ?? [];
}

async function merge<T>(one: readonly T[], two: readonly T[], compare: (a: T, b: T) => number, slices: Slices): Promise<T[]> {
  const out: T[] = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < two.length) {
    const first = j === two.length || (i < one.length && compare(one[i] as T, two[j] as T) <= 0);
    out.push(first ? (one[i++] as T) : (two[j++] as T));
    if (out.length % LOOKED_EVERY === 0 && slices.over) await slices.pause();
  }
  return out;
}
