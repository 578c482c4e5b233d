import { describe, expect, it } from 'vitest';
import { Random } from '../../../main/pipeline/random.ts';

const take = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.next());

describe('Random', () => {
  it('gives the same numbers for the same seed and stream, and others for other ones', () => {
    const numbers = (seed: number, stream: string): string => take(new Random(seed, stream), 4).join();
    expect(numbers(1, 'a')).toBe(numbers(1, 'a'));
    const all = [numbers(1, 'a'), numbers(1, 'b'), numbers(2, 'a'), numbers(2 ** 32 + 1, 'a'), numbers(Number.MAX_SAFE_INTEGER, 'a')];
    expect(new Set(all).size).toBe(all.length);
  });

  it('keeps its numbers: old runs must be repeatable', () => {
    expect(new Random(42, 'order').shuffle([0, 1, 2, 3, 4, 5, 6, 7])).toEqual([7, 3, 4, 6, 5, 2, 0, 1]);
  });

  it('is uniform: 10,000 draws over 10 bins stay within 5 sigma (150) of 1,000', () => {
    const bins = Array.from({ length: 10 }, () => 0);
    for (const value of take(new Random(7, 'bins'), 10_000)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      const bin = Math.floor(value * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(150); // measured: at most 71
  });

  it('shuffles a copy, each place as likely as another', () => {
    const list = ['a', 'b', 'c'];
    const seen = new Map<string, number>();
    const random = new Random(3, 'shuffle');
    for (let i = 0; i < 6000; i++) {
      const key = random.shuffle(list).join('');
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(list).toEqual(['a', 'b', 'c']);
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150); // measured: at most 57
  });

  it('picks elements, and refuses an empty list', () => {
    const random = new Random(1, 'pick');
    expect(new Set(Array.from({ length: 50 }, () => random.pick(['x', 'y'])))).toEqual(new Set(['x', 'y']));
    expect(() => random.pick([])).toThrow(RangeError);
  });
});
