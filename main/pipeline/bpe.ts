// Byte-pair merging: neighbouring symbols become one, the best rank first and the leftmost among equals, until no pair
// has a rank. The order of tokenizers' `BPE` (ranks of merges) and of SentencePiece's BPE (scores of pieces) alike.

/** What may be joined. Symbols are numbered by their place; `left` and `right` are neighbours. */
export interface Pairs {
  /** A whole number from 0 to MAX_RANK, the smallest is joined first; -1 where the two stay apart. */
  rank(left: number, right: number): number;
  /** Makes `left` the union of both; `rank` is what rank() said. */
  join(left: number, right: number, rank: number): void;
}

/** A heap entry is one number: rank above 32 bits, place below. */
const PLACES = 2 ** 32;
export const MAX_RANK = 2 ** 21 - 1;
const GONE = -2;
const NO_RANK = -1;

/** Joins what `pairs` allows among `count` symbols; gives the places that are left, in order. O(count · log count). */
export function mergeSymbols(count: number, pairs: Pairs): number[] {
  const previous = new Int32Array(count);
  const next = new Int32Array(count);
  /** Rank of a place with its right neighbour as things stand: an entry of the heap that says otherwise is out of date. */
  const ranks = new Int32Array(count).fill(NO_RANK);
  const heap: number[] = [];
  const look = (left: number): void => {
    const right = next[left] ?? count;
    const rank = right < count ? pairs.rank(left, right) : NO_RANK;
    ranks[left] = rank;
    if (rank !== NO_RANK) push(heap, rank * PLACES + left);
  };
  for (let i = 0; i < count; i++) {
    previous[i] = i - 1;
    next[i] = i + 1;
  }
  for (let i = 0; i < count; i++) look(i);

  while (heap.length > 0) {
    const entry = pop(heap);
    const rank = Math.floor(entry / PLACES);
    const left = entry - rank * PLACES;
    if (ranks[left] !== rank) continue;
    const right = next[left] ?? count;
    pairs.join(left, right, rank);
    const after = next[right] ?? count;
    next[left] = after;
    ranks[right] = GONE;
    if (after < count) previous[after] = left;
    const before = previous[left] ?? -1;
    if (before >= 0) look(before);
    look(left);
  }

  const kept: number[] = [];
  for (let i = 0; i < count; i = next[i] ?? count) kept.push(i);
  return kept;
}

function push(heap: number[], entry: number): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] ?? 0;
    if (above <= entry) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

/** Takes the smallest entry off a heap that has one. */
function pop(heap: number[]): number {
  const least = heap[0] ?? 0;
  const last = heap.pop() ?? 0;
  const size = heap.length;
  if (size === 0) return least;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
    const below = heap[child] ?? 0;
    if (below >= last) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return least;
}

/** Merges by name: which two tokens become which third, in order. */
export class MergeTable {
  readonly #ranks = new Map<number, number>();
  readonly #results: Int32Array;
  readonly #size: number;

  /** `merges` are [left, right, result] ids in order; `size` is above every id. Of a pair that comes twice the first counts. */
  constructor(merges: readonly (readonly [number, number, number])[], size: number) {
    this.#size = size;
    this.#results = new Int32Array(merges.length);
    merges.forEach(([left, right, result], rank) => {
      this.#results[rank] = result;
      const key = left * size + right;
      if (!this.#ranks.has(key)) this.#ranks.set(key, rank);
    });
  }

  /** Joins `ids` in place as far as the table goes and gives what is left. */
  merge(ids: number[]): number[] {
    if (ids.length < 2) return ids;
    const kept = mergeSymbols(ids.length, {
      rank: (left, right) => this.#ranks.get((ids[left] ?? 0) * this.#size + (ids[right] ?? 0)) ?? NO_RANK,
      join: (left, _, rank) => {
        ids[left] = this.#results[rank] ?? 0;
      },
    });
    return kept.map((place) => ids[place] ?? 0);
  }
}
