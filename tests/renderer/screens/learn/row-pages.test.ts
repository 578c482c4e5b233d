// Pages of rows: those in sight are read, one at a time; after a change or with another filter the answers to older questions
// are not taken.
import { describe, expect, it } from 'vitest';
import { everything, PAGE, RowPages } from '../../../../renderer/screens/learn/row-pages.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import { settle } from '../../fake-transport.ts';
import { fakeRows, list, row } from './fake-rows.ts';

const of = { draft: '0123456789abcdef' };
const rows = list(20_000);

describe('pages', () => {
  it('begin with the first, and read what comes into sight', async () => {
    const { api, page, pages, count } = fakeRows();
    const state = new RowPages(api, of);
    expect([state.total, state.at(0)]).toEqual([null, null]);
    await page(rows);
    expect([state.total, state.at(0)?.number, state.at(PAGE)]).toEqual([20_000, 0, null]);
    expect(count('rows.page')).toBe(0);
    state.show(15_010, 15_030);
    await pages(rows);
    expect(state.at(15_020)?.number).toBe(15_020);
    expect(state.indexOf(15_020)).toBe(15_020);
    expect(state.indexOf(7)).toBe(7);
    expect(state.indexOf(300)).toBe(-1);
  });

  it('are read one at a time: those that were passed by are not', async () => {
    const { api, page, count, next } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    for (let at = 1000; at < 19_000; at += 500) state.show(at, at + 20);
    expect(count('rows.page')).toBe(1);
    await page(rows);
    expect(next('rows.page').input).toMatchObject({ offset: 18_500 });
    await page(rows);
    expect(count('rows.page')).toBe(0);
    expect([state.at(1000)?.number, state.at(18_500)?.number, state.at(9000)]).toEqual([1000, 18_500, null]);
  });

  it('are kept in part: far ones go first', async () => {
    const { api, pages } = fakeRows();
    const state = new RowPages(api, of);
    for (let at = 0; at < 6000; at += PAGE) {
      state.show(at, at);
      await pages(rows);
    }
    expect(state.at(0)).toBeNull();
    expect(state.at(5900)?.number).toBe(5900);
    state.show(0, 0);
    await pages(rows);
    expect(state.at(0)?.number).toBe(0);
  });

  it('say why they cannot be had, and can be asked for again', async () => {
    const { api, next, page } = fakeRows();
    const state = new RowPages(api, of);
    next('rows.page').refuse(new NamesakeError('draft.unknown', 'x'));
    await settle();
    expect(state.error?.code).toBe('draft.unknown');
    state.invalidate();
    expect(state.error).toBeNull();
    await page(rows);
    expect([state.error, state.total]).toEqual([null, 20_000]);
  });
});

describe('a change of the rows', () => {
  it('leaves the old ones in sight until the new ones come, and takes no answer from before', async () => {
    const { api, page, pages, next } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    state.show(0, 150);
    const before = next('rows.page');
    state.invalidate();
    expect(state.at(3)?.number).toBe(3);
    before.answer({ total: 1, rows: [row(999)] });
    await settle();
    expect(state.total).toBe(20_000);
    const without = rows.filter(({ number }) => number !== 3);
    await pages(without);
    expect([state.total, state.at(3)?.number, state.at(120)?.number]).toEqual([19_999, 4, 121]);
  });

  it('reads pages again that were out of sight when they come back', async () => {
    const { api, page, pages } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    state.show(5000, 5010);
    await pages(rows);
    state.invalidate();
    await pages(rows.slice(1));
    expect(state.at(0)?.number).toBe(0);
    state.show(0, 10);
    await pages(rows.slice(1));
    expect(state.at(0)?.number).toBe(1);
  });

  it('that leaves fewer rows leaves no page behind the last', async () => {
    const { api, pages } = fakeRows();
    const state = new RowPages(api, of);
    await pages(rows);
    state.show(19_990, 19_999);
    await pages(rows);
    state.invalidate();
    await pages(rows.slice(0, 50));
    expect([state.total, state.at(49)?.number, state.at(19_995)]).toEqual([50, 49, null]);
  });
});

describe('a filter', () => {
  it('asks for what it lets through, from the first row on, and never shows what an earlier one let through', async () => {
    const { api, page, pages, next, count } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    state.show(500, 520);
    await pages(rows);
    state.find({ kind: 'negative', lang: 'zh', search: 'a' });
    const slow = next('rows.page');
    expect(slow.input).toMatchObject({ offset: 0, kind: 'negative', lang: 'zh', search: 'a' });
    state.find({ ...everything, search: 'ab' });
    slow.answer({ total: 1, rows: [row(1)] });
    await settle();
    expect(next('rows.page').input).toEqual({ of, offset: 0, limit: PAGE, search: 'ab' });
    await pages([row(7), row(8)]);
    expect([state.total, state.at(0)?.number, state.at(1)?.number, state.at(510)]).toEqual([2, 7, 8, null]);
    expect(count('rows.page')).toBe(0);
  });
});

describe('what is searched', () => {
  it('is asked without the blanks around it, and stays as it is typed', async () => {
    const { api, page, next } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    state.find({ ...everything, search: 'who ' });
    expect(next('rows.page').input).toMatchObject({ search: 'who' });
    expect(state.filter.search).toBe('who ');
  });
});

describe('another filter', () => {
  it('leaves no row of the one before in sight, also where as many are found', async () => {
    const { api, page, pages } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    state.show(500, 520);
    await pages(rows);
    state.find({ ...everything, lang: 'zh' });
    expect(state.at(510)?.number).toBe(510);
    await page(list(20_000, 50_000));
    expect([state.at(0)?.number, state.at(510)]).toEqual([50_000, null]);
  });
});

describe('a range', () => {
  it('reads what is missing of it', async () => {
    const { api, page, pages } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    const range = state.range(95, 310);
    await settle();
    await pages(rows);
    expect((await range)?.map(({ number }) => number)).toEqual(Array.from({ length: 216 }, (_, i) => 95 + i));
  });

  it('is none where the rows were changed meanwhile', async () => {
    const { api, page, pages } = fakeRows();
    const state = new RowPages(api, of);
    await page(rows);
    const range = state.range(95, 310);
    state.invalidate();
    await pages(rows);
    expect(await range).toBeNull();
  });
});

it('reads nothing any more once it is closed', async () => {
  const { api, page, count } = fakeRows();
  const state = new RowPages(api, of);
  state.close();
  await page(rows);
  state.show(5000, 5100);
  await settle();
  expect(count('rows.page')).toBe(0);
});
