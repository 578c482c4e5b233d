// The life of a row as one goes through rows: only where one stays is looked at, and only the last answer counts.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LifeState, PASSING_MS } from '../../../../renderer/screens/learn/life.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { RowLife, RowPlace } from '../../../../shared/row-life.ts';
import { settle } from '../../fake-transport.ts';
import { fakeRows, row } from './fake-rows.ts';

const of = { draft: '0123456789abcdef' };
const life = (number: number, text: RowLife['text'] = { template: 't', count: 0, learnt: 0, tokens: [] }): RowLife => ({
  ...{ number, row: row(number).row, standard: row(number).row.messages, answer: 'own', model: 'tiny', max_length: 64, text },
});
const place = (times: number): RowPlace => ({ steps: 9, looked_at: 9, times, first: null, exact: true, pending: 0 });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const stay = async (): Promise<void> => {
  vi.advanceTimersByTime(PASSING_MS);
  await settle();
};

describe('a row', () => {
  it('is looked at where one stays, its tokens first and then its place', async () => {
    const { api, next, count } = fakeRows();
    const state = new LifeState(api, of);
    for (let number = 0; number < 9; number++) state.look(number);
    expect(count('rows.life')).toBe(0);
    await stay();
    expect(next('rows.life').input).toEqual({ of, number: 8 });
    next('rows.life').answer(life(8));
    await settle();
    expect([state.life?.number, state.placed]).toEqual([8, false]);
    next('rows.place').answer(place(2));
    await settle();
    expect([state.place?.times, state.placed]).toEqual([2, true]);
  });

  it('is the last one that was asked about, in whatever order answers come', async () => {
    const { api, next, transport } = fakeRows();
    const state = new LifeState(api, of);
    state.look(1);
    await stay();
    state.look(2);
    await stay();
    const [slow, second] = transport.asked;
    second?.answer(life(2));
    await settle();
    slow?.answer(life(1));
    await settle();
    expect(state.life?.number).toBe(2);
    const slowPlace = next('rows.place');
    state.again();
    await settle();
    slowPlace.answer(place(7));
    await settle();
    expect([state.place, state.placed]).toEqual([null, false]);
  });

  it('keeps its place in sight while it is looked at again, and not another row’s', async () => {
    const { api, next } = fakeRows();
    const state = new LifeState(api, of);
    state.look(1);
    await stay();
    next('rows.life').answer(life(1));
    await settle();
    next('rows.place').answer(place(2));
    await settle();
    state.again();
    expect([state.place?.times, state.placed]).toEqual([2, true]);
    state.look(5);
    await stay();
    expect([state.place, state.placed]).toEqual([null, false]);
  });

  it('says why it cannot be seen; a place that cannot be worked out leaves the tokens', async () => {
    const { api, next } = fakeRows();
    const state = new LifeState(api, of);
    state.look(1);
    await stay();
    next('rows.life').answer(life(1));
    await settle();
    next('rows.place').refuse(new NamesakeError('rows.empty', 'none'));
    await settle();
    expect([state.life?.number, state.placeError?.code, state.error]).toEqual([1, 'rows.empty', null]);
    state.again();
    await settle();
    next('rows.life').refuse(new NamesakeError('model.invalid', 'x'));
    await settle();
    expect([state.life, state.error?.code]).toEqual([null, 'model.invalid']);
  });

  it('whose place was cut off by something that takes the machine is being worked out until it is asked for again', async () => {
    const { api, next } = fakeRows();
    const state = new LifeState(api, of);
    state.look(1);
    await stay();
    next('rows.life').answer(life(1));
    await settle();
    next('rows.place').refuse(new NamesakeError('cancelled', 'x'));
    await settle();
    expect([state.placed, state.placeError]).toEqual([false, null]);
    state.again();
    next('rows.life').answer(life(1));
    await settle();
    next('rows.place').answer(place(3));
    await settle();
    expect([state.placed, state.place?.times]).toEqual([true, 3]);
  });

  it('is none where none is chosen, and after it was closed', async () => {
    const { api, next, count } = fakeRows();
    const state = new LifeState(api, of);
    state.look(1);
    await stay();
    next('rows.life').answer(life(1, null));
    await settle();
    next('rows.place').answer(null);
    await settle();
    expect([state.life?.text, state.place, state.placed]).toEqual([null, null, true]);
    state.look(null);
    expect(state.life).toBeNull();
    state.look(2);
    state.close();
    await stay();
    expect(count('rows.life')).toBe(0);
  });
});
