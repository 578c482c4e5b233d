// How late a timer of 60 Hz comes in the process that holds the windows' core, idle and while a run trains on all cores but one.
//
//   npm run bench:timer-delay [-- --seconds 20] [--threads N]
//
// The default model is taken, which must be here. The core, its API and one window that listens are in this process, as in the app's
// main process; the engine's host is a process of its own.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Api } from '../../main/api/api.ts';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import type { RequestResult } from '../../shared/api.ts';
import { defaultModel } from '../support/default-model.ts';
import { startSmallRun, type WindowConnection } from '../support/window-run.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, threads: { type: 'string', default: '0' } } });
const threads = Number(values.threads) || Math.max(1, availableParallelism() - 1);
const PERIOD_MS = 1000 / 60;
const BAR_MS = 20;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Milliseconds by which each tick of a timer of 60 Hz came late, in whole ones as Node sets them; a tick that others held up counts as late as it was. */
async function delays(seconds: number): Promise<number[]> {
  const late: number[] = [];
  const start = performance.now();
  for (let tick = 1; tick * PERIOD_MS < seconds * 1000; tick++) {
    const due = start + tick * PERIOD_MS;
    await sleep(Math.max(0, Math.ceil(due - performance.now())));
    late.push(Math.max(0, performance.now() - due));
  }
  return late.sort((a, b) => a - b);
}

function report(what: string, late: readonly number[]): void {
  const at = (share: number): string => (late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? Number.NaN).toFixed(1);
  say(`${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms (bar ${BAR_MS} ms), max ${at(1)} ms of ${late.length} ticks; load ${loadavg()[0]?.toFixed(1)}`);
}

if (!existsSync(defaultModel)) throw new Error(`${defaultModel} is not there: npm run setup fetches it`);
const folder = mkdtempSync(join(tmpdir(), 'namesake-timer-'));
const models = join(folder, 'models', basename(dirname(defaultModel)));
mkdirSync(models, { recursive: true });
symlinkSync(defaultModel, join(models, basename(defaultModel)));
const core = createCore(new Home(folder), { compute: { threads, isa: process.env['NAMESAKE_ISA'] || 'auto' } });
const api = new Api(core, { kind: 'desktop', show: async () => undefined, offer: async () => null });
let steps = 0;
let failed = false;
api.subscribe({
  ready: () => true,
  send: (events) => {
    for (const event of events) {
      if (event.event === 'steps') steps += event.steps.length;
      if (event.event === 'run' && event.status === 'failed') failed = true;
    }
  },
});
const window: WindowConnection = {
  request: async (name, input) => {
    const reply = await api.request(name, input);
    if (!reply.ok) throw new Error(`${name}: ${reply.error.code} ${reply.error.detail}`);
    return reply.result as RequestResult<typeof name>;
  },
  onEvents: () => undefined,
};
try {
  const seconds = Number(values.seconds);
  await delays(1);
  report('idle', await delays(seconds));
  const run = await startSmallRun(window, core.models.default, 50_000);
  while (steps < 3) {
    if (failed) throw new Error('the run failed before its third step');
    await sleep(50);
  }
  const before = steps;
  report(`training on ${threads} of ${availableParallelism()} cores`, await delays(seconds));
  say(`the run did ${steps - before} steps meanwhile`);
  await window.request('runs.cancel', { run });
} finally {
  await api.close();
  core.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
