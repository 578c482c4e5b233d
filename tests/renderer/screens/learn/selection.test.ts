// Choosing rows as lists everywhere do: one, all between two, one more or one less. Rows that are not read yet are read for it.
import { describe, expect, it } from 'vitest';
import { RowPages } from '../../../../renderer/screens/learn/row-pages.svelte.ts';
import { Selection } from '../../../../renderer/screens/learn/selection.svelte.ts';
import { settle } from '../../fake-transport.ts';
import { fakeRows, list, type FakeRows } from './fake-rows.ts';

const rows = list(1000, 5000);

async function start(): Promise<FakeRows & { selection: Selection; state: RowPages }> {
  const fake = fakeRows();
  const state = new RowPages(fake.api, { draft: '0123456789abcdef' });
  await fake.page(rows);
  return { ...fake, state, selection: new Selection(state) };
}

const chosen = (selection: Selection): number[] => [...selection.numbers].sort((a, b) => a - b);

describe('a selection', () => {
  it('is one row, all through to another, and one more or less', async () => {
    const { selection } = await start();
    await selection.choose(3, 'alone');
    expect([chosen(selection), selection.cursor, selection.current]).toEqual([[5003], 3, 5003]);
    await selection.choose(6, 'through');
    expect(chosen(selection)).toEqual([5003, 5004, 5005, 5006]);
    await selection.choose(1, 'through');
    expect(chosen(selection)).toEqual([5001, 5002, 5003]);
    await selection.choose(2, 'toggle');
    expect(chosen(selection)).toEqual([5001, 5003]);
    await selection.choose(9, 'toggle');
    expect(chosen(selection)).toEqual([5001, 5003, 5009]);
    expect(selection.has(5009)).toBe(true);
    await selection.choose(0, 'alone');
    expect(chosen(selection)).toEqual([5000]);
  });

  it('reaches through rows that nobody saw', async () => {
    const { selection, pages } = await start();
    await selection.choose(10, 'alone');
    const choosing = selection.choose(450, 'through');
    await settle();
    await pages(rows);
    await choosing;
    expect(selection.numbers.size).toBe(441);
    expect(selection.has(5450)).toBe(true);
  });

  it('is that of the last choice, however long an earlier one takes', async () => {
    const { selection, pages } = await start();
    await selection.choose(10, 'alone');
    const slow = selection.choose(450, 'through');
    await selection.choose(20, 'alone');
    await settle();
    await pages(rows);
    await slow;
    expect([chosen(selection), selection.cursor]).toEqual([[5020], 20]);
  });

  it('moves without choosing, and stays inside the list', async () => {
    const { selection, state, pages } = await start();
    await selection.choose(3, 'alone');
    selection.move(5);
    expect([chosen(selection), selection.cursor]).toEqual([[5003], 5]);
    await selection.choose(99, 'alone');
    state.invalidate();
    await pages(rows.slice(0, 4));
    expect([selection.cursor, selection.current]).toEqual([3, 5003]);
    state.invalidate();
    await pages([]);
    expect([selection.cursor, selection.current]).toEqual([null, null]);
  });

  it('forgets what is chosen, and where it is', async () => {
    const { selection } = await start();
    await selection.choose(3, 'alone');
    selection.clear();
    expect([chosen(selection), selection.cursor]).toEqual([[], 3]);
    selection.reset();
    expect(selection.cursor).toBeNull();
  });
});
