import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RANK, mergeSymbols } from '../../../main/pipeline/bpe.ts';
import '../../support/arbitrary.ts';

/** Joins by looking at every pair every time. */
function plainly(symbols: string[], rankOf: (text: string) => number): string[] {
  const left = [...symbols];
  for (;;) {
    let best = -1;
    let lowest = Infinity;
    for (let i = 0; i + 1 < left.length; i++) {
      const rank = rankOf(`${left[i]}${left[i + 1]}`);
      if (rank >= 0 && rank < lowest) [best, lowest] = [i, rank];
    }
    if (best < 0) return left;
    left.splice(best, 2, `${left[best]}${left[best + 1]}`);
  }
}

function byHeap(symbols: string[], rankOf: (text: string) => number): string[] {
  const texts = [...symbols];
  const kept = mergeSymbols(symbols.length, {
    rank: (left, right) => rankOf(`${texts[left]}${texts[right]}`),
    join: (left, right) => {
      texts[left] = `${texts[left]}${texts[right]}`;
    },
  });
  return kept.map((place) => texts[place] ?? '');
}

const letters = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 40 });
const ranks = fc.dictionary(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 2, maxLength: 6 }), fc.oneof(fc.nat(4), fc.integer({ min: 0, max: MAX_RANK })), {
  maxKeys: 30,
  noNullPrototype: false,
});

describe('mergeSymbols', () => {
  it('joins what looking at every pair joins: the lowest rank first, the leftmost of equals', () => {
    fc.assert(
      fc.property(letters, ranks, (symbols, table) => {
        const rankOf = (text: string): number => (Object.hasOwn(table, text) ? (table[text] ?? -1) : -1);
        expect(byHeap(symbols, rankOf)).toEqual(plainly(symbols, rankOf));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes time that grows little faster than the symbols', () => {
    const looks = (count: number): number => {
      const sizes = new Array<number>(count).fill(1);
      let asked = 0;
      const kept = mergeSymbols(count, {
        rank: (left, right) => {
          asked++;
          const size = (sizes[left] ?? 0) + (sizes[right] ?? 0);
          return size <= 16 ? 16 - size : -1;
        },
        join: (left, right) => {
          sizes[left] = (sizes[left] ?? 0) + (sizes[right] ?? 0);
        },
      });
      expect(kept.length).toBeLessThanOrEqual(count / 8);
      return asked;
    };
    // Every join asks twice.
    expect(looks(100_000)).toBeLessThanOrEqual(300_000);
    expect(looks(1_000)).toBeLessThanOrEqual(3_000);
  });
});
