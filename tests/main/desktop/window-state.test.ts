import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fitted, readWindowState, writeWindowState, type Bounds } from '../../../main/desktop/window-state.ts';
import { temporaryFolder } from '../../support/files.ts';

const first: Bounds = { x: 0, y: 25, width: 1440, height: 875 };
const right: Bounds = { x: 1440, y: 0, width: 1920, height: 1080 };

test('a window that can be seen stays where it was, on any display', () => {
  for (const bounds of [
    { x: 100, y: 100, width: 900, height: 700 },
    { x: 1500, y: 200, width: 1000, height: 800 },
  ]) {
    expect(fitted(bounds, [first, right])).toEqual(bounds);
  }
});

test('a window of a display that is gone opens in the middle of the first one', () => {
  expect(fitted({ x: 1500, y: 200, width: 1000, height: 800 }, [first])).toEqual({ x: 120, y: 62, width: 1200, height: 800 });
  expect(fitted(null, [first])).toEqual({ x: 120, y: 62, width: 1200, height: 800 });
});

test('a window that hangs over an edge, or is larger than the display, is moved and made to fit', () => {
  expect(fitted({ x: 1000, y: 400, width: 900, height: 700 }, [first])).toEqual({ x: 540, y: 200, width: 900, height: 700 });
  expect(fitted({ x: -50, y: 0, width: 5000, height: 3000 }, [first])).toEqual(first);
});

test('whatever was kept, the window lies inside one display', () => {
  const span = fc.integer({ min: -100_000, max: 100_000 });
  const size = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(fc.record({ x: span, y: span, width: size, height: size }), (kept) => {
      const found = fitted(kept, [first, right]);
      const inside = (area: Bounds): boolean =>
        found.x >= area.x && found.y >= area.y && found.x + found.width <= area.x + area.width && found.y + found.height <= area.y + area.height;
      expect([first, right].some(inside)).toBe(true);
    }),
  );
});

test('what was kept is read again; damaged or absent is nothing', () => {
  const path = join(temporaryFolder(), 'window.json');
  expect(readWindowState(path)).toBeNull();
  const state = { bounds: { x: 1, y: 2, width: 900, height: 700 }, maximized: true };
  writeWindowState(path, state);
  expect(readWindowState(path)).toEqual(state);
  for (const text of ['', '{', '[]', '{"bounds":{"x":1},"maximized":true}', '{"bounds":{"x":1e9,"y":0,"width":1,"height":1},"maximized":false}']) {
    writeFileSync(path, text);
    expect(readWindowState(path), text).toBeNull();
  }
});

test('a home that cannot be written to is no reason to fail', () => {
  expect(() => writeWindowState(join(temporaryFolder(), 'no', 'such', 'window.json'), { bounds: first, maximized: false })).not.toThrow();
});
