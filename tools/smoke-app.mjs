// @ts-check
// Looks whether a packaged app works: starts it on a home of its own, asks its page for what it is, and ends it.
// usage: node tools/smoke-app.mjs PATH_OF_THE_APP [ARGUMENTS…]
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE_MS = 60_000;

/**
 * The address of the app's DevTools, which it prints when it listens.
 * @param {import('node:child_process').ChildProcess} app
 * @returns {Promise<string>}
 */
function devtools(app) {
  return new Promise((resolve, reject) => {
    let said = '';
    app.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      process.stderr.write(text);
      said += text;
      const address = /DevTools listening on (ws:\/\/\S+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    app.on('error', reject);
    app.on('exit', (code) => reject(new Error(`the app ended with ${code}`)));
    setTimeout(() => reject(new Error('the app says nothing')), PATIENCE_MS).unref();
  });
}

/**
 * What the page of the app at `path` answers to a question about the program and one about its engine.
 * @param {string} path
 * @param {string[]} extra
 */
async function look(path, extra) {
  const home = await mkdtemp(join(tmpdir(), 'namesake-smoke-'));
  const app = spawn(path, [`--home=${home}`, '--remote-debugging-port=0', ...extra], { stdio: ['ignore', 'inherit', 'pipe'] });
  const ended = new Promise((resolve) => app.once('exit', resolve));
  try {
    const browser = await chromium.connectOverCDP(await devtools(app));
    const [context] = browser.contexts();
    if (context === undefined) throw new Error('the app has no window');
    const page = context.pages()[0] ?? (await context.waitForEvent('page', { timeout: PATIENCE_MS }));
    await page.getByRole('heading', { name: 'Namesake' }).waitFor({ timeout: PATIENCE_MS });
    const answers = await page.evaluate(async () => {
      const { api } = /** @type {{ api: import('../shared/window-api.ts').WindowApi }} */ (/** @type {unknown} */ (globalThis));
      return [await api.request('app.about', {}), await api.request('app.doctor', {})];
    });
    await browser.close();
    return answers;
  } finally {
    app.kill();
    await ended;
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

const [path, ...extra] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('usage: node tools/smoke-app.mjs PATH_OF_THE_APP [ARGUMENTS…]\n');
  process.exitCode = 2;
} else {
  const answers = await look(path, extra);
  process.stdout.write(`${JSON.stringify(answers, null, 2)}\n`);
  const [about, doctor] = answers;
  const engineError = doctor?.ok === true ? /** @type {import('../shared/doctor.ts').DoctorReport} */ (doctor.result).engine_error : 'no answer';
  if (about?.ok !== true || engineError !== null) {
    process.stderr.write(`the app does not work: ${JSON.stringify(engineError)}\n`);
    process.exitCode = 1;
  }
}
