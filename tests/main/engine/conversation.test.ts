import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Conversation } from '../../../main/engine/conversation.ts';
import type { Model } from '../../../main/engine/native.d.ts';
import type { Asked } from '../../../shared/engine.ts';

/** A model that only counts generators: the real one is met in engine.test.ts. */
let made: { slots: number; asked: Asked; closed: boolean }[];
const model = {
  createGenerator: (slots: number, _adapter: null, asked: Asked) => {
    const generator = { slots, asked, closed: false };
    made.push(generator);
    return Promise.resolve({ run: () => undefined, close: () => void (generator.closed = true) });
  },
} as unknown as Model;

beforeEach(() => {
  made = [];
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('turns of as many sides or fewer share a generator; more sides get another, and one is open at a time', async () => {
  const conversation = new Conversation();
  for (const slots of [2, 1, 2]) {
    await conversation.turn(model, slots, null);
    conversation.rest();
  }
  expect(made).toEqual([{ slots: 2, asked: 'in-conversation', closed: false }]);
  await conversation.turn(model, 3, null);
  expect(made.map(({ slots, closed }) => [slots, closed])).toEqual([[2, true], [3, false]]);
});

test('memory goes two minutes after the last turn, never during one', async () => {
  const conversation = new Conversation();
  await conversation.turn(model, 1, null);
  conversation.rest();
  vi.advanceTimersByTime(119_000);
  await conversation.turn(model, 1, null);
  vi.advanceTimersByTime(600_000);
  expect(made.map(({ closed }) => closed)).toEqual([false]);
  conversation.rest();
  vi.advanceTimersByTime(120_000);
  expect(made.map(({ closed }) => closed)).toEqual([true]);
  await conversation.turn(model, 1, null);
  expect(made.map(({ closed }) => closed)).toEqual([true, false]);
});
