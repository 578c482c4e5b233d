// Windows that come and go while a run goes on: it never notices, and each of them sees the whole curve.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Random } from '../../../main/pipeline/random.ts';
import { tinyModel } from '../../support/tiny-run.ts';
import { momentsOf, reached, startSmallRun, WatchedRun } from '../../support/window-run.ts';
import { handOverModel } from '../../support/door-client.ts';
import { openDoor, type TestDoor } from './open-door.ts';

vi.setConfig({ testTimeout: 180_000 });

const STEPS = 400;
const CYCLES = 15;

/** The adapter that a run left behind. */
function adapterOf(door: TestDoor, run: string): Buffer {
  return readFileSync(join(door.home.run(run).adapter, 'adapter_model.safetensors'));
}

describe('windows of a run', () => {
  it(`may reconnect ${CYCLES} times at random moments: the run ends as if nobody had looked`, async () => {
    const seed = 20260101;
    const random = new Random(seed, 'reconnect');
    const door = await openDoor();
    const cookie = await door.signIn();
    // An undisturbed run first: what the other one must give.
    const first = await door.window(cookie);
    const model = await handOverModel(first, tinyModel, { ...door.door, cookie });
    const undisturbed = await startSmallRun(first, model, STEPS);
    const watched = new WatchedRun(first, undisturbed);
    await watched.load();
    await expect.poll(() => watched.status, { timeout: 60_000 }).toBe('done');

    const run = await startSmallRun(first, model, STEPS);
    const steady = new WatchedRun(first, run);
    await steady.load();
    const seen: number[] = [];
    for (const moment of momentsOf(STEPS, CYCLES, random)) {
      await reached(steady, moment);
      await sleep(random.next() * 10);
      const window = await door.window(cookie);
      const view = new WatchedRun(window, run);
      await view.load();
      await sleep(random.next() * 30);
      seen.push(view.curve.length);
      if (random.next() < 0.5) window.socket.terminate();
      else window.socket.close();
      await window.closed;
    }
    await expect.poll(() => steady.status, { timeout: 60_000 }).toBe('done');
    const last = new WatchedRun(await door.window(cookie), run);
    await last.load();
    expect(last.status).toBe('done');
    // The moments were all over the run, not before or behind it.
    expect([seed, seen.filter((length) => length > 0 && length < STEPS).length]).toEqual([seed, expect.toSatisfy((views: number) => views > CYCLES / 2)]);
    expect(last.curve).toHaveLength(STEPS);
    expect(steady.curve).toEqual(last.curve);
    expect(last.curve.map(({ step, loss }) => ({ step, loss }))).toEqual(watched.curve.map(({ step, loss }) => ({ step, loss })));
    expect(adapterOf(door, run).equals(adapterOf(door, undisturbed))).toBe(true);
    expect(door.log()).toEqual([]);
  });
});
