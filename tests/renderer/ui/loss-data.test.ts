// What a loss chart draws: smoothing, thinning, and a logarithmic scale that bears tiny losses.
import { describe, expect, test } from 'vitest';
import { lossColumns, lossRange, lossTicks, pointAt, shownSteps, smoothed, smoothingSpan, tableRows, thinned, type LossPoint } from '../../../renderer/ui/loss-data.ts';

const curve = (losses: readonly number[]): LossPoint[] => losses.map((loss, i) => ({ step: i + 1, loss }));

describe('smoothing', () => {
  test('begins with the first loss and follows the rest', () => {
    const values = smoothed([4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 3);
    expect(values[0]).toBeCloseTo(4);
    expect(values[2]).toBeCloseTo(4);
    expect(values[3]).toBeLessThan(4);
    expect(values.at(-1)).toBeCloseTo(1, 1);
  });

  test('a loss that is no number leaves a gap and nothing else', () => {
    const values = smoothed([2, NaN, 2, Infinity, 2], 5);
    expect(values[1]).toBeNull();
    expect(values[3]).toBeNull();
    expect(values[2]).toBeCloseTo(2);
    expect(values[4]).toBeCloseTo(2);
  });

  test('short runs are smoothed over a few steps, long ones over more, within limits', () => {
    expect([10, 60, 120, 1200, 1_000_000].map(smoothingSpan)).toEqual([5, 5, 10, 100, 200]);
  });
});

test('a long run shows as much of itself as there is something to see', () => {
  expect([0, 1, 100, 2_000, 12_500, 12_501, 25_001, 50_000].map((last) => shownSteps(50_000, last))).toEqual([196, 196, 391, 6250, 25_000, 50_000, 50_000, 50_000]);
  expect(shownSteps(120, 3)).toBe(120);
});

describe('thinning', () => {
  const many = curve(Array.from({ length: 20_000 }, (_, i) => 1 + Math.sin(i / 50) / 2));
  const peaks = many.map((point) => (point.step === 7777 ? { ...point, loss: 90 } : point.step === 12_345 ? { ...point, loss: 0.001 } : point));

  test('keeps first, last, and every extreme of a column, in order and no more than four a column', () => {
    const kept = thinned(peaks, 500);
    expect(kept.length).toBeLessThanOrEqual(2000);
    expect(kept).toEqual([...kept].sort((a, b) => a - b));
    expect(new Set(kept).size).toBe(kept.length);
    const steps = kept.map((i) => peaks[i]?.step);
    expect(steps).toEqual(expect.arrayContaining([1, 7777, 12_345, 20_000]));
  });

  test('leaves a curve alone that fits', () => {
    expect(thinned(curve([3, 2, 1]), 100)).toEqual([0, 1, 2]);
    expect(thinned([], 100)).toEqual([]);
  });

  test('steps that are missing in the middle do no harm', () => {
    const gap = [...many.slice(0, 3000), ...many.slice(15_000)];
    const kept = thinned(gap, 200);
    expect(kept.at(-1)).toBe(gap.length - 1);
    expect(kept.length).toBeLessThanOrEqual(800);
  });

  test('ten thousand steps become columns within a frame', () => {
    const began = performance.now();
    const [steps] = lossColumns([{ name: 'a', points: many }], 200, 800);
    expect(performance.now() - began).toBeLessThan(100);
    expect(steps.length).toBeLessThanOrEqual(3200);
  });
});

describe('columns of several curves', () => {
  test('share their steps; where one has none it has a gap', () => {
    const [steps, a, , b] = lossColumns(
      [
        { name: 'a', points: curve([3, 2]) },
        { name: 'b', points: [{ step: 2, loss: 5 }, { step: 4, loss: 6 }] },
      ],
      5,
      100,
    );
    expect(steps).toEqual([1, 2, 4]);
    expect(a).toEqual([3, 2, null]);
    expect(b).toEqual([null, 5, 6]);
  });

  test('a loss of nothing is drawn at the least that a logarithm can show, one that is no number not at all', () => {
    const [, raw] = lossColumns([{ name: 'a', points: curve([1, 0, 1e-12, NaN, -1]) }], 5, 100);
    expect(raw).toEqual([1, 1e-6, 1e-6, null, 1e-6]);
  });
});

describe('the scale', () => {
  test('has air around what it shows, and never reaches zero', () => {
    for (const [least, greatest] of [[0.3, 4], [1e-6, 1e-6], [2, 2], [1e-6, 1000]] as const) {
      const [low, high] = lossRange(least, greatest);
      expect(low).toBeGreaterThan(0);
      expect(low).toBeLessThan(least);
      expect(high).toBeGreaterThan(greatest);
    }
    expect(lossRange(null, null)).toEqual([0.1, 10]);
  });

  test('has a few round lines whatever it spans', () => {
    for (const [low, high] of [[0.3, 4], [0.0000005, 12], [1.9, 2.3], [0.04, 0.06]] as const) {
      const ticks = lossTicks(low, high);
      expect(ticks.length).toBeGreaterThanOrEqual(1);
      expect(ticks.length).toBeLessThanOrEqual(7);
      expect(Math.min(...ticks)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...ticks)).toBeLessThanOrEqual(high);
    }
    expect(lossTicks(0.3, 4)).toEqual([0.3, 0.5, 0.7, 1, 1.5, 2, 3]);
    expect(lossTicks(0.01, 100)).toEqual([0.01, 0.1, 1, 10, 100]);
  });
});

test('the table has the last step and every marked one, and is never long', () => {
  const rows = tableRows(curve(Array.from({ length: 5000 }, () => 1)), [1234], 60);
  expect(rows.length).toBeLessThanOrEqual(63);
  expect(rows.map(({ step }) => step)).toEqual(expect.arrayContaining([1, 1234, 5000]));
});

test('the point under the pointer is the nearest one', () => {
  const points = [{ step: 1, loss: 3 }, { step: 10, loss: 2 }, { step: 12, loss: 1 }];
  expect([0, 1, 4, 7, 11, 99].map((step) => pointAt(points, step)?.step)).toEqual([1, 1, 1, 10, 12, 12]);
  expect(pointAt([], 3)).toBeNull();
});
