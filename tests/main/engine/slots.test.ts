import { expect, test } from 'vitest';
import { MOST_SLOTS, slotsFor } from '../../../main/engine/slots.ts';

const small = { layers: 30, kv_heads: 3, head_dim: 64 };
const requests = (count: number, length: number) =>
  Array.from({ length: count }, () => ({ prompt: { length: length - 48 }, max_tokens: 48 }));

test('one slot for each request, up to the most', () => {
  expect(slotsFor(requests(1, 100), small)).toBe(1);
  expect(slotsFor(requests(7, 100), small)).toBe(7);
  expect(slotsFor(requests(500, 100), small)).toBe(MOST_SLOTS);
  expect(slotsFor([], small)).toBe(1);
});

test('fewer where the longest request’s cache would take more than 256 MiB, but always one', () => {
  // 46,080 bytes a position: 2048 positions are 90 MiB.
  expect(slotsFor([...requests(30, 100), ...requests(1, 2048)], small)).toBe(2);
  expect(slotsFor(requests(2, 100_000), small)).toBe(1);
});
