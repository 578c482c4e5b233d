// Figures of the page, as the built program shows it in Chromium. Times are printed, never tested.
//
//   npm run bench:ui [-- --only size,paint,tasks,heap] [--hours 12] [--seconds 10] [--program PATH]
//
// size    what a browser fetches for the page, gzipped
// paint   from entering a fresh address to the first paint, each time in a fresh profile
// tasks   the longest task of the page's thread while a run tells ten events a second and 20,000 rows are scrolled, and while
//         a curve of 10,500 steps is looked at
// heap    the page's memory over so many hours of a run, told as fast as the page takes it
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { launchChromium } from '../support/chromium.ts';
import { root } from '../support/files.ts';
import { fullHome, type FullHome } from '../support/full-home.ts';
import { standsStill } from '../support/full-page.ts';
import { ServedProgram } from '../support/served-program.ts';
import { writeJsonLines } from '../support/tiny-run.ts';
import { simulatedHours } from './ui-hours.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'size,paint,tasks,heap' },
    hours: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '20000' },
    program: { type: 'string', default: join(root, 'out', 'main', 'cli.js') },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function size(): void {
  const folder = join(dirname(resolve(values.program)), '..', 'renderer');
  const files = globSync('**/*.{html,js,css,svg}', { cwd: folder }).map((file) => [file, gzipSync(readFileSync(join(folder, file)), { level: 9 }).length] as const);
  const total = files.reduce((sum, [, bytes]) => sum + bytes, 0);
  say(`size    ${(total / 1000).toFixed(0)} kB gzipped in ${files.length} files (bar 400 kB): ${files.map(([file, bytes]) => `${file} ${(bytes / 1000).toFixed(1)}`).join(', ')}`);
}

async function paint(served: ServedProgram, browser: Browser): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(await served.newAddress());
    times.push(
      await page.evaluate<number>(
        `new Promise((resolve) => new PerformanceObserver((list) => {
          const paint = list.getEntriesByName('first-contentful-paint')[0];
          if (paint) resolve(paint.startTime);
        }).observe({ type: 'paint', buffered: true }))`,
      ),
    );
    await context.close();
  }
  const sorted = times.sort((a, b) => a - b);
  say(`paint   first contentful paint: median ${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0)} ms, worst ${Math.max(...times).toFixed(0)} ms of ${times.length} fresh profiles`);
}

/** A page whose tasks over 50 ms, and whose messages, are counted. */
async function watchedPage(served: ServedProgram, browser: Browser): Promise<{ page: Page; base: string; session: CDPSession; events: () => number }> {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.addInitScript(() => {
    const tasks: number[] = [];
    Object.assign(globalThis, { longTasks: tasks });
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
  });
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let events = 0;
  session.on('Network.webSocketFrameReceived', ({ response }) => {
    if (/"event":"(run|steps)"/.test(response.payloadData)) events++;
  });
  await page.goto(await served.newAddress());
  return { page, base: page.url().split('#')[0] ?? '', session, events: () => events };
}

/** Processor time of the longest task of the page's thread in a trace, in milliseconds: what other programs took does not count. */
function longestInTrace(trace: Buffer): number {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: { name: string; pid: number; tid: number; tdur?: number; args?: { name?: string } }[] };
  const threads = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain').map(({ pid, tid }) => `${pid}/${tid}`));
  return Math.max(0, ...traceEvents.filter(({ name, pid, tid }) => name === 'ThreadControllerImpl::RunTask' && threads.has(`${pid}/${tid}`)).map(({ tdur = 0 }) => tdur / 1000));
}

/** The longest task while `work` goes on for a while, with the events that came meanwhile. */
async function measured(browser: Browser, watched: Awaited<ReturnType<typeof watchedPage>>, what: string, work: () => Promise<void>): Promise<void> {
  const { page, events } = watched;
  await page.evaluate(() => (globalThis as unknown as { longTasks: number[] }).longTasks.splice(0));
  const [before, start] = [events(), performance.now()];
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await work();
  const longest = longestInTrace(await browser.stopTracing());
  const seconds = (performance.now() - start) / 1000;
  const long = await page.evaluate(() => (globalThis as unknown as { longTasks: number[] }).longTasks);
  say(`tasks   ${what}: longest task ${longest.toFixed(0)} ms of processor time (bar 100 ms); ${long.length} took over 50 ms by the clock, the longest ${Math.max(0, ...long).toFixed(0)} ms; ${((events() - before) / seconds).toFixed(1)} events/s`);
}

async function tasks(served: ServedProgram, browser: Browser, home: FullHome): Promise<void> {
  const window = await served.window();
  const watched = await watchedPage(served, browser);
  const { page, base } = watched;
  const milliseconds = Number(values.seconds) * 1000;
  await window.request('runs.resume', { run: home.runs.paused });
  while ((await window.request('runs.get', { run: home.runs.paused })).status !== 'running') await page.waitForTimeout(100);

  await page.goto(`${base}#draft/${home.draft}/learn`);
  await standsStill(page);
  await measured(browser, watched, `${Number(values.rows).toLocaleString('en')} rows scroll under a run`, async () => {
    const table = await page.evaluate(() => {
      const scrolled = [...document.querySelectorAll('main, main *')].filter((element) => element.scrollHeight > element.clientHeight + 5000 && /auto|scroll/.test(getComputedStyle(element).overflowY));
      const box = scrolled.at(-1)?.getBoundingClientRect();
      return box === undefined ? null : { x: box.x + box.width / 2, y: Math.min(box.y + box.height / 2, innerHeight - 50) };
    });
    if (table === null) throw new Error('there is no table to scroll');
    await page.mouse.move(table.x, table.y);
    for (const end = performance.now() + milliseconds; performance.now() < end; ) {
      await page.mouse.wheel(0, 4000);
      await page.waitForTimeout(16);
    }
  });
  for (const [what, run] of [['the run itself is watched', home.runs.paused], ['a curve of 10,500 steps is shown under a run', home.runs.stopped]] as const) {
    await page.goto(`${base}#new`);
    await standsStill(page);
    await measured(browser, watched, what, async () => {
      await page.goto(`${base}#run/${run}/train`);
      await page.waitForTimeout(milliseconds);
    });
  }
  await window.request('runs.pause', { run: home.runs.paused });
  await page.context().close();
}

const folder = mkdtempSync(join(tmpdir(), 'namesake-bench-'));
const only = values.only.split(',');
const browser = await launchChromium(['--js-flags=--expose-gc', '--enable-precise-memory-info']);
try {
  if (only.includes('size')) size();
  const home = await fullHome(folder);
  const core = createCore(new Home(folder));
  const line = (i: number): object => ({ messages: [{ role: 'user', content: `Question ${i}: what is ${i} plus ${i}?` }, { role: 'assistant', content: `It is ${2 * i}, and that is all there is to say about it.` }] });
  await core.drafts.import(home.draft, writeJsonLines(join(folder, 'many.jsonl'), Array.from({ length: Number(values.rows) }, (_, i) => line(i))), 'openai');
  core.close();
  const served = await ServedProgram.start(folder, resolve(values.program));
  try {
    if (only.includes('paint')) await paint(served, browser);
    if (only.includes('tasks')) await tasks(served, browser, home);
    if (only.includes('heap')) await simulatedHours(served, browser, home, Number(values.hours), say);
  } finally {
    await served.end();
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
