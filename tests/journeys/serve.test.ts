// The browser door of the built program while a run goes on: windows reload, connections break, the program itself is killed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../main/pipeline/random.ts';
import { flood } from '../bench/serve-flood.ts';
import { handOverModel } from '../support/door-client.ts';
import { readLines, temporaryFolder } from '../support/files.ts';
import { residentMegabytes } from '../support/processes.ts';
import { ServedProgram } from '../support/served-program.ts';
import { tinyModel } from '../support/tiny-run.ts';
import { momentsOf, reached, startSmallRun, WatchedRun } from '../support/window-run.ts';

const SEED = 20260102;
const CYCLES = 100;
/** Every so many cycles it is the program that dies, not the connection. */
const KILL_EVERY = 10;
const STEPS = 400;
/** Requests a second of the flood, and how long it goes on. */
const RATE = 1000;
const FLOOD_SECONDS = 10;

describe('serve', () => {
  it(`keeps a run right over ${CYCLES} reloads, broken connections and kills at random moments`, async () => {
    const random = new Random(SEED, 'serve');
    const home = temporaryFolder();
    let served = await ServedProgram.start(home);
    onTestFinished(() => served.kill());
    let window = await served.window();
    const model = await handOverModel(window, tinyModel, served);
    const undisturbed = await startSmallRun(window, model, STEPS);
    const quiet = new WatchedRun(window, undisturbed);
    await quiet.load();
    await expect.poll(() => quiet.status, { timeout: 300_000, interval: 100 }).toBe('done');

    const run = await startSmallRun(window, model, STEPS);
    let steady = new WatchedRun(window, run);
    await steady.load();
    const seen: number[] = [];
    for (const [cycle, moment] of momentsOf(STEPS, CYCLES, random).entries()) {
      await reached(steady, moment);
      await sleep(random.next() * 20);
      if (cycle % KILL_EVERY === KILL_EVERY - 1 && steady.status === 'running') {
        await served.kill();
        served = await ServedProgram.start(home);
        window = await served.window();
        steady = new WatchedRun(window, run);
        await steady.load();
        if (steady.status === 'interrupted') await window.request('runs.resume', { run });
        continue;
      }
      const other = await served.window();
      const view = new WatchedRun(other, run);
      await view.load();
      seen.push(view.curve.length);
      await sleep(random.next() * 20);
      if (random.next() < 0.5) other.socket.terminate();
      else other.socket.close();
      await other.closed;
    }
    await expect.poll(() => steady.status, { timeout: 300_000, interval: 100 }).toBe('done');
    const last = new WatchedRun(await served.window(), run);
    await last.load();
    expect(last.curve).toHaveLength(STEPS);
    expect(steady.curve).toEqual(last.curve);
    const losses = (watched: WatchedRun): unknown[] => watched.curve.map(({ step, loss, grad_norm, tokens }) => ({ step, loss, grad_norm, tokens }));
    expect([SEED, losses(last)]).toEqual([SEED, losses(quiet)]);
    const adapter = (id: string): Buffer => readFileSync(join(home, 'runs', id, 'adapter', 'adapter_model.safetensors'));
    expect(adapter(run).equals(adapter(undisturbed))).toBe(true);
    // The moments were all over the run, not before or behind it.
    expect(new Set(seen.filter((length) => length > 0 && length < STEPS)).size).toBeGreaterThan(CYCLES / 4);
    expect(await served.end()).toBe(0);
  });

  it('answers a flood through the limiter, while a run goes on and a window works', async () => {
    const home = temporaryFolder();
    const served = await ServedProgram.start(home);
    onTestFinished(() => served.kill());
    const window = await served.window();
    const model = await handOverModel(window, tinyModel, served);
    const run = new WatchedRun(window, await startSmallRun(window, model, 20_000));
    await run.load();
    await reached(run, 5);
    const wild = (await served.signIn(await served.newAddress())).cookie;
    await flood(served.port, wild, RATE, 2);
    const [steps, memory] = [run.curve.length, residentMegabytes(served.pid)];
    let answers = 0;
    let flooding = true;
    const honest = (async () => {
      for (; flooding; answers++) {
        expect((await window.request('runs.list', {})).length).toBe(1);
        await sleep(100);
      }
    })();
    const report = await flood(served.port, wild, RATE, FLOOD_SECONDS);
    flooding = false;
    await honest;
    expect(report.sent).toBeGreaterThan(RATE * FLOOD_SECONDS * 0.8);
    expect(report.unanswered).toBe(0);
    expect(Object.keys(report.http).sort()).toEqual(expect.arrayContaining(['200', '429']));
    expect(report.http['429']).toBeGreaterThan(report.sent / 2);
    expect(report.socket['request.too_many']).toBeGreaterThan(0);
    expect(answers).toBeGreaterThan(FLOOD_SECONDS);
    expect(run.curve.length).toBeGreaterThan(steps);
    expect(run.status).toBe('running');
    // Growth that a flood of a minute would make visible is many times this.
    expect(residentMegabytes(served.pid) - memory).toBeLessThan(60);
    const lines = readLines<{ level: number; msg: string; code: string }>(join(home, 'logs', 'namesake.log'));
    expect(new Set(lines.map(({ msg, code }) => `${msg} ${code}`))).toEqual(new Set(['refused door.unauthorized', 'refused request.too_many']));
    expect(lines.length).toBeLessThan(50);
    expect(await served.end()).toBe(0);
  });
});
