// A window over the real browser door whose connection breaks, and which is reloaded, again and again under a run: it never
// shows a gap or a step twice, and ends with the run's own curve.
import { describe, expect, it } from 'vitest';
import { Api } from '../../renderer/api.ts';
import { RunWatch, type WatchedRun } from '../../renderer/state/run-watch.ts';
import { ownDoor, socketTransport, type Socket } from '../../renderer/door/socket-transport.ts';
import { tinyRun } from '../e2e/desktop-home.ts';
import { openDoor, type TestDoor } from '../main/serve/open-door.ts';

/** How often; a journey does it a hundred times. */
const CYCLES = Number(process.env['NAMESAKE_RELOADS'] ?? 30);
const STEPS = 60 + 40 * CYCLES;

/** A window as the page makes one, with every curve that it showed checked. */
class Window {
  readonly api: Api;
  readonly watch: RunWatch;
  /** Curves that no run can have. */
  readonly wrong: number[][] = [];
  last: WatchedRun | null = null;
  #socket: Socket | null = null;

  constructor({ door }: TestDoor, cookie: string, run: string) {
    const page = `${door.origin}/`;
    // Node's WebSocket says who asks where it is told to, as a browser does by itself.
    const options = { headers: { cookie, origin: door.origin } } as unknown as string[];
    const open = (): Socket => (this.#socket = new WebSocket(`${page.replace('http', 'ws')}api`, options) as Socket);
    this.api = new Api(socketTransport({ ...ownDoor(page), open, admitted: () => Promise.resolve(true), delay: () => 20 * Math.random() }));
    this.watch = new RunWatch(
      this.api,
      run,
      (shown) => {
        this.last = shown;
        const steps = shown.metrics.map(({ step }) => step);
        if (steps.some((step, i) => step !== i + 1)) this.wrong.push(steps);
      },
      (error) => {
        throw error;
      },
    );
  }

  breakConnection(): void {
    this.#socket?.close();
  }

  close(): void {
    this.watch.close();
    this.api.close();
  }
}

describe('a window over serve', () => {
  it(`keeps the curve whole over ${CYCLES} broken connections and reloads`, async () => {
    const test = await openDoor({ limits: { session: { burst: 10_000, per_second: 10_000 } } });
    const run = await tinyRun(test.home.folder, STEPS);
    const cookie = await test.signIn();
    let window = new Window(test, cookie, run);
    await window.api.request('runs.resume', { run });
    let connections = 0;
    for (let i = 0; i < CYCLES; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100 * Math.random()));
      if (i % 3 === 2) {
        window.close();
        expect(window.wrong).toEqual([]);
        window = new Window(test, cookie, run);
      } else window.breakConnection();
      connections++;
    }
    expect(connections).toBe(CYCLES);
    await expect.poll(() => window.last?.status, { timeout: 200_000, interval: 50 }).toBe('done');
    await expect.poll(() => window.last?.chosen_step, { timeout: 20_000 }).not.toBeNull();
    expect(window.wrong).toEqual([]);
    expect(window.last?.metrics.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    expect(window.last?.metrics).toEqual(test.core.runs.metrics(run, 0));
    window.close();
  }, 300_000);
});
