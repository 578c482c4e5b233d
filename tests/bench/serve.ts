// Figures of the browser door, as a person's browser and a hostile one see the built program. Times are printed, never tested.
//
//   node tests/bench/serve.ts [--seconds 60] [--rate 1000] [--tabs 8] [--rounds 5] [--model PATH] [--threads N] [--only paint,flood,tabs]
//
// paint   from entering a fresh address to the page's first paint in Chromium, each time in a fresh profile
// flood   so many requests a second, of a stranger and of a second session, while a run goes on and a window works
// tabs    tokens a second of training without a window and with idle ones behind another tab, taking turns
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { type Client, handOverModel } from '../support/door-client.ts';
import { root } from '../support/files.ts';
import { residentMegabytes } from '../support/processes.ts';
import { ServedProgram } from '../support/served-program.ts';
import { tinyModel } from '../support/tiny-run.ts';
import { reached, startSmallRun, WatchedRun } from '../support/window-run.ts';
import { flood } from './serve-flood.ts';
import { processorSeconds, TabbedBrowser } from './serve-tabs.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '1000' },
    tabs: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    model: { type: 'string', default: tinyModel },
    program: { type: 'string', default: join(root, 'out', 'main', 'cli.js') },
    threads: { type: 'string', default: '0' },
    only: { type: 'string', default: 'paint,flood,tabs' },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

const round = (value: number, digits = 0): string => value.toFixed(digits);

/** A page signed in with a fresh address, and milliseconds from there to its first contentful paint. */
async function openPage(browser: Browser, served: ServedProgram): Promise<number> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(await served.newAddress());
  return page.evaluate<number>(
    `new Promise((resolve) => new PerformanceObserver((list) => {
      const paint = list.getEntriesByName('first-contentful-paint')[0];
      if (paint) resolve(paint.startTime);
    }).observe({ type: 'paint', buffered: true }))`,
  );
}

async function paint(served: ServedProgram, rounds: number): Promise<void> {
  const browser = await launchChromium();
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) times.push(await openPage(browser, served));
  await browser.close();
  say(`paint   first contentful paint: median ${round(median(times))} ms, worst ${round(Math.max(...times))} ms of ${rounds} fresh profiles (aim 500 ms)`);
}

/** Starts a run that outlasts the bench, and waits for its first steps. */
async function longRun(window: Client, model: string): Promise<WatchedRun> {
  const watched = new WatchedRun(window, await startSmallRun(window, model, 50_000));
  await watched.load();
  await reached(watched, 10);
  return watched;
}

async function endRun(window: Client, watched: WatchedRun): Promise<void> {
  await window.request('runs.cancel', { run: watched.run });
  while (watched.status !== 'cancelled') await sleep(50);
}

async function underFlood(served: ServedProgram, model: string, rate: number, seconds: number): Promise<void> {
  const window = await served.window();
  const wild = (await served.signIn(await served.newAddress())).cookie;
  const run = await longRun(window, model);
  // Once beforehand: what the program needs for its first flood is no growth.
  await flood(served.port, wild, rate, Math.min(5, seconds));
  await sleep(3000);
  const before = residentMegabytes(served.pid);
  const stepsBefore = run.curve.length;
  const waits: number[] = [];
  let flooding = true;
  const honest = (async () => {
    while (flooding) {
      const start = performance.now();
      await window.request('runs.list', {});
      waits.push(performance.now() - start);
      await sleep(200);
    }
  })();
  const report = await flood(served.port, wild, rate, seconds);
  flooding = false;
  await honest;
  const steps = run.curve.length - stepsBefore;
  const under = residentMegabytes(served.pid);
  await sleep(5000);
  const after = residentMegabytes(served.pid);
  say(`flood   ${report.sent} requests in ${round(report.seconds)} s: HTTP ${JSON.stringify(report.http)}, web socket ${JSON.stringify(report.socket)}, unanswered ${report.unanswered}`);
  say(`        honest window: ${waits.length} answers, median ${round(median(waits), 1)} ms, worst ${round(Math.max(...waits))} ms, none refused`);
  say(`        the run went on: ${steps} steps meanwhile, status ${run.status}, events lost ${run.lost}`);
  say(`        memory of the program: before ${round(before)} MB, under it ${round(under)} MB, five seconds later ${round(after)} MB`);
  await endRun(window, run);
  window.socket.close();
}

/** What a while of training gave, and shares of one processor: of the door's process, and of the browser. */
interface Measured {
  tokens: number;
  door: number;
  browser: number;
}

async function measure(served: ServedProgram, run: WatchedRun, browser: TabbedBrowser, seconds: number): Promise<Measured> {
  await sleep(500);
  const [steps, door, pages, start] = [run.curve.length, processorSeconds(served.pid), browser.processorSeconds(), performance.now()];
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - start) / 1000;
  const tokens = run.curve.slice(steps).reduce((sum, step) => sum + step.tokens, 0);
  return {
    tokens: tokens / elapsed,
    door: (processorSeconds(served.pid) - door) / elapsed,
    browser: (browser.processorSeconds() - pages) / elapsed,
  };
}

async function withTabs(served: ServedProgram, model: string, tabs: number, rounds: number, seconds: number): Promise<void> {
  const window = await served.window();
  const run = await longRun(window, model);
  const alone: Measured[] = [];
  const watched: Measured[] = [];
  let seen = 0;
  for (let i = 0; i < rounds; i++) {
    // A browser with an empty tab both times: what it takes by itself is not the tabs' doing.
    const browser = await TabbedBrowser.open();
    alone.push(await measure(served, run, browser, seconds));
    const own = await browser.openTab(await served.newAddress());
    for (let tab = 1; tab < tabs; tab++) await browser.openTab(own);
    // A page of something else in front: all that is left of the run's tabs is behind it.
    await browser.openTab('about:blank');
    seen = Math.max(seen, (await browser.seen()) - 1);
    await sleep(2000);
    watched.push(await measure(served, run, browser, seconds));
    await browser.close();
  }
  const of = (list: Measured[], what: keyof Measured): number => median(list.map((measured) => measured[what]));
  const [before, after] = [of(alone, 'tokens'), of(watched, 'tokens')];
  say(`tabs    training ${round(before)} tokens/s without, ${round(after)} tokens/s with ${tabs} idle tabs: ${round(100 * (1 - after / before), 1)} % less (median of ${rounds} turns of ${seconds} s; aim < 5 %)`);
  for (const [what, name] of [['door', 'the door'], ['browser', 'the browser']] as const) {
    say(`        ${name} used ${round(100 * of(alone, what), 1)} % of a processor without, ${round(100 * of(watched, what), 1)} % with them; ${seen} of the tabs seen`);
  }
  await endRun(window, run);
  window.socket.close();
}

const home = mkdtempSync(join(tmpdir(), 'namesake-bench-'));
const served = await ServedProgram.start(home, resolve(values.program), Number(values.threads));
try {
  const parts = values.only.split(',');
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const window = await served.window();
  const model = await handOverModel(window, values.model, served);
  window.socket.close();
  if (parts.includes('paint')) await paint(served, rounds);
  if (parts.includes('flood')) await underFlood(served, model, Number(values.rate), seconds);
  if (parts.includes('tabs')) await withTabs(served, model, Number(values.tabs), rounds, Math.min(10, seconds));
} finally {
  await served.end();
  rmSync(home, { recursive: true, force: true });
}
