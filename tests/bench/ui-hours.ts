// Hours of a run as a page hears them, told as fast as it takes them: what they cost of its memory.
import type { Browser, Page } from 'playwright-core';
import type { ApiEvent, Reply, RunDetails } from '../../shared/api.ts';
import type { RequestName } from '../../shared/api.ts';
import type { FullHome } from '../support/full-home.ts';
import { standsStill } from '../support/full-page.ts';
import type { ServedProgram } from '../support/served-program.ts';

const EVENTS_A_SECOND = 10;
const SECONDS_AN_HOUR = 3600;

/** What the page's own side of the stage has: a door that tells what it is told to. */
interface Stage {
  tell(events: ApiEvent[]): void;
  curve: object[];
}
type StageWindow = typeof globalThis & { stage: Stage; askCore(name: RequestName, input: unknown): Promise<Reply> };

/** Stands in for the desktop's preload: requests go to the real core, but for the run, which goes on for ever. */
function setStage(run: string): void {
  const listeners = new Set<(events: ApiEvent[]) => void>();
  const stage: Stage = { tell: (events) => listeners.forEach((listener) => listener(events)), curve: [] };
  const asked = async (name: RequestName, input: unknown): Promise<Reply> => {
    const reply = await (globalThis as StageWindow).askCore(name, input);
    if (name === 'runs.get' && reply.ok && (input as { run: string }).run === run) {
      const details = reply.result as RunDetails;
      return { ok: true, result: { ...details, status: 'running', step: stage.curve.length, metrics: stage.curve, phase: { phase: 'training', done: 0, total: details.steps, eta_seconds: 60 } } };
    }
    return reply;
  };
  Object.assign(globalThis, {
    stage,
    api: {
      request: asked,
      onEvents: (listener: (events: ApiEvent[]) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      files: {},
      platform: 'linux',
      language: 'en',
    },
  });
}

/** Tells the page so many seconds of a run, ten events each; with `steps`, one step a second joins the curve. */
async function tellSeconds(page: Page, run: string, seconds: number, steps: boolean): Promise<void> {
  await page.evaluate(
    async ([run, seconds, steps, perSecond]) => {
      const { stage } = globalThis as StageWindow;
      const channel = new MessageChannel();
      const turn = (): Promise<void> => new Promise((resolve) => {
        channel.port1.onmessage = () => resolve();
        channel.port2.postMessage(null);
      });
      const total = 50_000;
      for (let second = 0; second < seconds; second++) {
        if (steps) {
          const step = stage.curve.length + 1;
          const metric = { step, loss: 2 * Math.exp(-step / 9000) + 0.1 * Math.random(), grad_norm: Math.random(), lr: 1e-3, tokens: 640, tokens_per_second: 1300 + Math.random() };
          stage.curve.push(metric);
          stage.tell([{ event: 'steps', run, after: step - 1, steps: [metric] } as ApiEvent]);
        }
        for (let i = 0; i < perSecond; i++) {
          const step = stage.curve.length;
          const summary = { run, name: 'Piggy', status: 'running', step, steps: total, created_at: '2026-01-01T00:00:00.000Z', error: null, chosen_step: null };
          stage.tell([{ event: 'run', ...summary, progress: { phase: 'training', done: step, total, eta_seconds: total - step } } as unknown as ApiEvent]);
          await turn();
        }
      }
    },
    [run, seconds, steps, EVENTS_A_SECOND] as const,
  );
}

/** Prints the page's heap after each part of `hours` of a run, and after as long again without a step. */
export async function simulatedHours(served: ServedProgram, browser: Browser, home: FullHome, hours: number, say: (line: string) => void): Promise<void> {
  const run = home.runs.paused;
  const window = await served.window();
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  const session = await page.context().newCDPSession(page);
  await page.exposeFunction('askCore', (name: RequestName, input: unknown) => window.ask(name, input));
  await page.addInitScript(setStage, run);
  await page.goto(await served.newAddress());
  await page.goto(`${page.url().split('#')[0] ?? ''}#run/${run}/train`);
  await standsStill(page);

  const heap = async (): Promise<number> => {
    // What a test asks for is kept by the debugger until it is told to let go.
    await session.send('HeapProfiler.collectGarbage');
    await page.waitForTimeout(300);
    await session.send('HeapProfiler.collectGarbage');
    return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6;
  };
  const elements = (): Promise<number> => page.evaluate(() => document.querySelectorAll('*').length);

  await tellSeconds(page, run, 60, true);
  const [begin, nodes] = [await heap(), await elements()];
  say(`heap    after its first minute: ${begin.toFixed(1)} MB, ${nodes} elements`);
  const parts = 4;
  for (let part = 1; part <= parts; part++) {
    await tellSeconds(page, run, (hours * SECONDS_AN_HOUR) / parts, true);
    const steps = await page.evaluate(() => (globalThis as StageWindow).stage.curve.length);
    say(`heap    after ${(hours * part) / parts} h and ${steps} steps: ${(await heap()).toFixed(1)} MB`);
  }
  const full = await heap();
  const curve = await page.evaluate(() => {
    const { stage } = globalThis as StageWindow;
    Object.assign(globalThis, { copy: structuredClone(stage.curve) });
    return stage.curve.length;
  });
  const own = (await heap()) - full;
  await page.evaluate(() => Object.assign(globalThis, { copy: null }));
  say(`heap    a curve of ${curve} steps takes ${own.toFixed(1)} MB by itself; the rest grew by ${(full - begin - own).toFixed(1)} MB in ${hours} h`);
  for (let part = 1; part <= 2; part++) {
    await tellSeconds(page, run, (hours * SECONDS_AN_HOUR) / 4, false);
    say(`heap    ${(hours * part) / 4} h more without a step: ${(await heap()).toFixed(1)} MB, ${await elements()} elements`);
  }
  await page.context().close();
}
