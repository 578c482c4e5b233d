// A run under the desktop app: whatever happens to its window, its engine or the app itself, the run goes on or can go on.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StoredMetric } from '../../shared/api.ts';
import { childrenOf } from '../support/processes.ts';
import { result, runWhen, tinyRun, type PageWindow } from './desktop-home.ts';
import { shells, type DesktopApp } from './standin/launch.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** How often the page is reloaded or killed under one run; the journey does it a hundred times. */
const RELOADS = Number(process.env['NAMESAKE_RELOADS'] ?? 10);
const STEPS = 60 + 80 * RELOADS;

const adapterOf = (home: string, run: string): Buffer => readFileSync(join(home, 'runs', run, 'adapter', 'adapter_model.safetensors'));

/** Ids of the engine hosts of an app. */
function engines(app: DesktopApp): number[] {
  return childrenOf(app.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-host');
    } catch {
      return false;
    }
  });
}

describe.each(shells.map((make) => make()).map((shell) => [shell.name, shell] as const))('the desktop app in %s', (_name, shell) => {
  describe.skipIf(shell.missing !== null)('runs', () => {
    let home: string;

    beforeAll(() => shell.open());
    afterAll(() => shell.close());
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), 'namesake-run-'));
    });
    afterEach(() => rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));

    /** Answers questions of dialogs with this button, and remembers what was asked. */
    const answerWith = (app: DesktopApp, response: number): Promise<void> =>
      app.evaluate(({ dialog }, response) => {
        const asked: unknown[] = [];
        Object.assign(globalThis, { asked });
        dialog.showMessageBox = ((...args: unknown[]) => {
          asked.push(args.at(-1));
          const answer = { response, checkboxChecked: false };
          return new Promise<typeof answer>((resolve) => setTimeout(() => resolve(answer), 50));
        }) as typeof dialog.showMessageBox;
      }, response);
    const asked = (app: DesktopApp): Promise<{ message: string; buttons: string[] }[]> =>
      app.evaluate(() => (globalThis as unknown as { asked: { message: string; buttons: string[] }[] }).asked);
    const going = async (page: Page, run: string): Promise<void> => {
      await result(page, 'runs.resume', { run });
      await runWhen(page, run, ({ status, step }) => status === 'running' && step > 2);
    };

    test(`the page is reloaded and killed ${RELOADS} times under a run: same bytes, no gap, nothing twice`, { timeout: 240_000 + RELOADS * 15_000 }, async () => {
      const run = await tinyRun(home, STEPS);
      const app = await shell.launch({ home });
      let page = await app.page();
      await result(page, 'runs.resume', { run });
      // A page that crashes more than three times a minute is left alone.
      const third = Math.ceil(RELOADS / 3);
      let killed = 0;
      for (let i = 0; i < RELOADS; i++) {
        await page.waitForTimeout(Math.random() * 300);
        if (shell.name === 'stand-in' && i % third === third - 1) {
          await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer());
          await page.waitForEvent('crash', { timeout: 5000 }).catch(() => undefined);
          await vi.waitFor(async () => {
            page = await app.page();
            await result(page, 'app.about');
          }, 60_000);
          killed++;
        } else {
          // The browser takes no reload in the very moment in which the last one arrives.
          await vi.waitFor(() => page.reload({ waitUntil: 'commit' }), 60_000);
        }
        // Nobody looks at the window when the run ends, however soon that is.
        await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.blur());
      }
      if (shell.name === 'stand-in') expect(killed).toBe(Math.floor(RELOADS / third));
      // A page that comes late: what it asks for and what it hears after are one curve without a gap.
      await page.waitForLoadState('load');
      const curve = await page.evaluate(async (run) => {
        const { api } = globalThis as PageWindow;
        const steps = new Map<number, number>();
        const twice: number[] = [];
        let early: { after: number; steps: { step: number }[] }[] | null = [];
        const take = ({ after, steps: list }: { after: number; steps: { step: number }[] }): void => {
          for (const step of [...steps.keys()]) if (step > after) steps.delete(step);
          for (const { step } of list) {
            if (steps.has(step)) twice.push(step);
            steps.set(step, 1);
          }
        };
        const ended = new Promise<void>((resolve) => {
          api.onEvents((events) => {
            for (const event of events) {
              if (event.event === 'steps' && event.run === run) {
                if (early === null) take(event);
                else early.push(event);
              }
              if (event.event === 'run' && event.run === run && event.status === 'done') resolve();
            }
          });
        });
        const reply = await api.request('runs.metrics', { run, after: 0 });
        if (!reply.ok) throw new Error(reply.error.code);
        for (const { step } of reply.result as { step: number }[]) steps.set(step, 1);
        for (const event of early) take(event);
        early = null;
        const details = await api.request('runs.get', { run });
        if (details.ok && (details.result as { status: string }).status !== 'done') await ended;
        return { steps: [...steps.keys()], twice };
      }, run);
      expect(curve.twice).toEqual([]);
      expect(curve.steps).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
      const stored = await result<StoredMetric[]>(page, 'runs.metrics', { run, after: 0 });
      expect(stored.map(({ step }) => step)).toEqual(curve.steps);
      await runWhen(page, run, ({ status }) => status === 'done');
      if (shell.name === 'stand-in') {
        const told = (): Promise<unknown[]> => app.evaluate(({ calls }) => calls.filter(({ what }) => what === 'notification').map(({ args }) => args[0]));
        await vi.waitFor(async () => expect(await told()).toMatchObject([{ title: '“tiny” is ready' }]), 60_000);
      }

      const undisturbed = mkdtempSync(join(tmpdir(), 'namesake-run-'));
      try {
        const other = await tinyRun(undisturbed, STEPS, null);
        expect(adapterOf(home, run).equals(adapterOf(undisturbed, other))).toBe(true);
      } finally {
        rmSync(undisturbed, { recursive: true, force: true });
      }
      await app.kill();
    });

    test('an engine that is killed fails the run with a reason; the window lives, and the run goes on from its checkpoint', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      const [engine] = engines(app);
      process.kill(engine ?? 0, 'SIGKILL');
      const failed = await runWhen(page, run, ({ status }) => status === 'failed');
      expect(failed.error).toBe('engine.crashed');
      expect(await page.evaluate(() => document.readyState)).toBe('complete');
      await result(page, 'runs.resume', { run });
      const again = await runWhen(page, run, ({ status, step }) => status === 'running' && step > failed.step);
      expect(again.error).toBeNull();
      await app.kill();
    });

    test('while a run goes on the machine stays awake, the tray says how far it is, and a closed window comes back', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home, env: { STANDIN_LANGUAGE: 'zh-CN' } });
      const page = await app.page();
      const blocks = (): Promise<unknown[]> => app.evaluate(({ calls }) => calls.filter(({ what }) => what.startsWith('powerSaveBlocker')));
      if (shell.name === 'stand-in') expect(await blocks()).toEqual([]);
      await going(page, run);
      if (shell.name === 'stand-in') {
        await vi.waitFor(async () => expect(await blocks()).toEqual([{ what: 'powerSaveBlocker.start', args: ['prevent-app-suspension'] }]), 60_000);
        const tips = await app.evaluate(({ trays }) => [...trays].map(({ toolTip }) => toolTip));
        expect(tips).toEqual([expect.stringMatching(/^正在训练“tiny”：第 [\d,]+ 步，共 4,000 步$/)]);
      }
      const windows = await app.evaluate(({ BrowserWindow }) => {
        const [window] = BrowserWindow.getAllWindows();
        window?.close();
        return { count: BrowserWindow.getAllWindows().length, visible: window?.isVisible() };
      });
      expect(windows).toEqual({ count: 1, visible: false });
      // A second start shows the window of the first and ends.
      const second = await shell.launch({ home });
      expect(await second.ended).toBe(0);
      await vi.waitFor(async () => expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible())).toBe(true), 60_000);
      await result(page, 'runs.pause', { run });
      await runWhen(page, run, ({ status }) => status === 'paused');
      if (shell.name === 'stand-in') {
        await vi.waitFor(async () => expect(await blocks()).toHaveLength(2), 60_000);
        expect(await app.evaluate(({ trays }) => trays.size)).toBe(0);
      }
      await app.kill();
    });

    test('quitting without a run asks nothing', async () => {
      const app = await shell.launch({ home });
      await app.page();
      await answerWith(app, 3);
      await app.evaluate(({ app }) => void setTimeout(() => app.quit(), 10));
      expect(await app.ended).toBe(0);
    });

    test('quitting while a run goes on asks once, however often; keeping it hides the window and nothing else', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      await answerWith(app, 1);
      await app.evaluate(({ app }) => {
        app.quit();
        app.quit();
        app.quit();
      });
      await vi.waitFor(async () => expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible())).toBe(false), 60_000);
      expect(await asked(app)).toMatchObject([{ message: '“tiny” is still training', buttons: [expect.stringMatching(/save/), expect.any(String), expect.any(String), expect.any(String)] }]);
      const { step } = await runWhen(page, run, ({ status }) => status === 'running');
      await runWhen(page, run, (details) => details.step > step);
      await app.kill();
    });

    test('not to quit is an answer, too', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      await answerWith(app, 3);
      await app.evaluate(({ app }) => app.quit());
      await vi.waitFor(async () => expect(await asked(app)).toHaveLength(1), 60_000);
      await page.waitForTimeout(300);
      expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible())).toBe(true);
      await app.kill();
    });

    test('stop and save: the app ends in order, asks once, and the next one goes on with the run', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      await answerWith(app, 0);
      await app.evaluate(({ app }) => void setTimeout(() => app.quit(), 10));
      expect(await app.ended).toBe(0);
      const next = await shell.launch({ home });
      const there = await next.page();
      const kept = await runWhen(there, run, ({ status }) => status === 'paused');
      expect(kept.step).toBeGreaterThan(2);
      expect(kept.metrics.map(({ step }) => step)).toEqual(Array.from({ length: kept.step }, (_, i) => i + 1));
      await result(there, 'runs.resume', { run });
      await runWhen(there, run, ({ step }) => step > kept.step);
      await next.kill();
    });

    test('throw away: the run’s folder goes', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      await answerWith(app, 2);
      await app.evaluate(({ app }) => void setTimeout(() => app.quit(), 10));
      expect(await app.ended).toBe(0);
      expect(existsSync(join(home, 'runs', run))).toBe(false);
    });

    test('an app that is killed leaves a run that the next one goes on with, and no engine', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      const started = engines(app);
      await app.kill();
      const next = await shell.launch({ home });
      const there = await next.page();
      const { step } = await runWhen(there, run, ({ status }) => status === 'interrupted');
      await result(there, 'runs.resume', { run });
      await runWhen(there, run, (details) => details.step > step);
      await vi.waitFor(() => expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]), 60_000);
      await next.kill();
    });

    test('deleting everything removes runs, database and settings, and the app begins anew', async () => {
      const run = await tinyRun(home, 4000);
      const app = await shell.launch({ home });
      const page = await app.page();
      await going(page, run);
      await app.evaluate(({ app }) => {
        app.relaunch = () => undefined;
      });
      await result(page, 'app.delete_everything', { confirm: 'delete everything' }).catch((error: Error) => {
        // The page may be gone before its answer has come.
        if (!/closed|crashed|destroyed/i.test(error.message)) throw error;
      });
      expect(await app.ended).toBe(0);
      expect(existsSync(join(home, 'runs', run))).toBe(false);
      const next = await shell.launch({ home });
      expect(await result(await next.page(), 'runs.list')).toEqual([]);
      await next.kill();
    });

    test('the menu speaks the language of the settings, at once', async () => {
      const app = await shell.launch({ home });
      const page = await app.page();
      const labels = (): Promise<string[]> => app.evaluate(({ Menu }) => Menu.getApplicationMenu()?.items.map(({ label }) => label) ?? []);
      await result(page, 'settings.set', { language: 'zh' });
      await vi.waitFor(async () => expect(await labels()).toContain('文件'), 60_000);
      await result(page, 'settings.set', { language: 'en' });
      await vi.waitFor(async () => expect(await labels()).toContain('File'), 60_000);
      const heard = page.evaluate(
        () => new Promise((resolve) => (globalThis as PageWindow).api.onEvents((events) => {
          for (const event of events) if (event.event === 'command') resolve(event);
        })),
      );
      await page.waitForTimeout(200);
      await app.evaluate(({ Menu }) => {
        const item = Menu.getApplicationMenu()
          ?.items.find(({ label }) => label === 'File')
          ?.submenu?.items.find(({ accelerator }) => accelerator === 'CmdOrCtrl+N');
        item?.click();
      });
      expect(await heard).toEqual({ event: 'command', command: 'new' });
      await app.kill();
    });

    test('the window comes back where it was, and always where it can be seen', async () => {
      const bounds = { x: 60, y: 40, width: 900, height: 650 };
      const read = (app: DesktopApp): Promise<unknown> => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getNormalBounds());
      for (const [put, found] of [
        [bounds, bounds],
        [{ ...bounds, x: 90_000 }, expect.objectContaining({ y: expect.any(Number), width: 1200 })],
      ] as const) {
        const app = await shell.launch({ home });
        await app.page();
        await app.evaluate(({ BrowserWindow }, put) => BrowserWindow.getAllWindows()[0]?.setBounds(put), put);
        await app.evaluate(({ app }) => void setTimeout(() => app.quit(), 10));
        expect(await app.ended).toBe(0);
        const next = await shell.launch({ home });
        await next.page();
        const seen = (await read(next)) as typeof bounds;
        expect(seen).toEqual(found);
        expect(seen.x).toBeLessThan(2000);
        await next.kill();
      }
    });
  });
});
