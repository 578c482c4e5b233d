// Window state: where the window was and how large, kept in the home, and made to fit the displays that are there now.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeWhole } from '../disk.ts';

export interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Device-independent pixels. */
export const MINIMUM = { width: 800, height: 560 };
const DEFAULT = { width: 1200, height: 800 };
/** As much of the window has to be on a display, so that it can be taken and moved. */
const GRIP = 64;

const pixels = z.int().min(-100_000).max(100_000);
const stateSchema = z.object({
  bounds: z.object({ x: pixels, y: pixels, width: pixels.min(1), height: pixels.min(1) }),
  maximized: z.boolean(),
});
export type WindowState = z.output<typeof stateSchema>;

/** Shares of two spans: how far they overlap. */
function overlap(a: number, aLength: number, b: number, bLength: number): number {
  return Math.max(0, Math.min(a + aLength, b + bLength) - Math.max(a, b));
}

function centered(area: Bounds): Bounds {
  const width = Math.min(DEFAULT.width, area.width);
  const height = Math.min(DEFAULT.height, area.height);
  return { x: area.x + Math.floor((area.width - width) / 2), y: area.y + Math.floor((area.height - height) / 2), width, height };
}

/**
 * Bounds that can be seen and reached: those that were kept, no larger than the display that shows most of them, moved into
 * it; in the middle of the first display where there are none or none of it would be seen. `areas` are the displays' work
 * areas, the primary one first.
 */
export function fitted(kept: Bounds | null, areas: readonly Bounds[]): Bounds {
  const [primary] = areas;
  if (primary === undefined) return kept ?? { x: 0, y: 0, ...DEFAULT };
  if (kept === null) return centered(primary);
  const shown = (area: Bounds): number =>
    overlap(kept.x, kept.width, area.x, area.width) * overlap(kept.y, kept.height, area.y, area.height);
  const area = areas.reduce((best, next) => (shown(next) > shown(best) ? next : best));
  const visible =
    overlap(kept.x, kept.width, area.x, area.width) >= GRIP && overlap(kept.y, kept.height, area.y, area.height) >= GRIP;
  if (!visible) return centered(primary);
  const width = Math.min(Math.max(kept.width, MINIMUM.width), area.width);
  const height = Math.min(Math.max(kept.height, MINIMUM.height), area.height);
  return {
    x: Math.min(Math.max(kept.x, area.x), area.x + area.width - width),
    y: Math.min(Math.max(kept.y, area.y), area.y + area.height - height),
    width,
    height,
  };
}

/** The state that was kept; null where there is none or it is damaged. */
export function readWindowState(path: string): WindowState | null {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Keeps the state. Where the home cannot be written to, the next window opens in the middle: no reason to fail. */
export function writeWindowState(path: string, state: WindowState): void {
  try {
    writeWhole(path, `${JSON.stringify(state)}\n`);
  } catch {
    // Full or read-only.
  }
}
