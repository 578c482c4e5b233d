import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapInSlices, Slices, sortInSlices } from '../../../main/pipeline/slices.ts';

/** Slices that are over at every look, and count how often others could run. */
class ShortSlices extends Slices {
  pauses = 0;

  override get over(): boolean {
    return true;
  }

  override async pause(): Promise<void> {
    this.pauses++;
    await super.pause();
  }
}

describe('work in slices', () => {
  it('sorts as the language does, equal items as they were', async () => {
    const item = fc.record({ key: fc.integer({ min: 0, max: 50 }), place: fc.integer() });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { size: 'max', maxLength: 20_000, minLength: 0 }), async (items) => {
        const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
        expect(await sortInSlices(items, compare, new Slices())).toEqual([...items].sort(compare));
      }),
      { numRuns: 10 },
    );
  });

  it('sorts what is more than one part, and lets others run in every merge', async () => {
    const items = Array.from({ length: 10_000 }, (_, i) => ({ key: (i * 7919) % 100, place: i }));
    const slices = new ShortSlices();
    const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
    expect(await sortInSlices(items, compare, slices)).toEqual([...items].sort(compare));
    expect(slices.pauses).toBeGreaterThan(2 * Math.floor(10_000 / 64));
    expect(await sortInSlices([], compare, slices)).toEqual([]);
  });

  it('maps in order, and lets others run in between', async () => {
    const slices = new ShortSlices();
    let heard = 0;
    // What comes in while the loop turns: a timer of a millisecond may be slower than the whole.
    let listen = setImmediate(function again(): void {
      heard++;
      listen = setImmediate(again);
    });
    const made = await mapInSlices(Array.from({ length: 2000 }, (_, i) => i), (item, i) => [item, i], slices);
    clearImmediate(listen);
    expect(made).toEqual(Array.from({ length: 2000 }, (_, i) => [i, i]));
    expect(slices.pauses).toBe(Math.ceil(2000 / 64));
    expect(heard).toBeGreaterThan(0);
  });

  it('is in the same slice until its time is over, and in a new one after a pause', async () => {
    const slices = new Slices();
    expect(slices.over).toBe(false);
    const until = performance.now() + 25;
    while (performance.now() < until);
    expect(slices.over).toBe(true);
    await slices.pause();
    expect(slices.over).toBe(false);
  });
});
