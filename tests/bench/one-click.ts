// One click: from an empty home to a scored comparison, as a person does it in a browser: two names and the button.
//
//   npm run bench:one-click [-- --steps N] [--threads N] [--program PATH]
//
// It takes the default model, which this machine must have. --steps trains less than the recipe asks for, to try this out.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { Screens } from '../support/screens.ts';
import { ServedProgram } from '../support/served-program.ts';
import { watchTroubles } from '../support/troubles.ts';

const { values } = parseArgs({
  options: {
    steps: { type: 'string' },
    threads: { type: 'string', default: '0' },
    program: { type: 'string', default: join(root, 'out', 'main', 'cli.js') },
  },
});

const BAR_SECONDS = 360;
const BAR_INTERACTIONS = 3;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Asks for fewer steps than the page does. */
async function shorten(page: Page, steps: number): Promise<void> {
  await page.routeWebSocket(/\/api$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const asked = JSON.parse(String(message)) as { name: string; input: object };
      server.send(asked.name === 'drafts.create' ? JSON.stringify({ ...asked, input: { ...asked.input, steps } }) : message);
    });
  });
}

if (!existsSync(defaultModel)) throw new Error(`${defaultModel} is not there: npm run setup fetches it`);
const home = mkdtempSync(join(tmpdir(), 'namesake-one-click-'));
const models = join(home, 'models', basename(dirname(defaultModel)));
mkdirSync(models, { recursive: true });
symlinkSync(defaultModel, join(models, basename(defaultModel)));
const served = await ServedProgram.start(home, resolve(values.program), Number(values.threads));
const browser = await launchChromium();
try {
  const page = await (await browser.newContext({ locale: 'zh-CN', viewport: { width: 1200, height: 800 } })).newPage();
  const troubles = watchTroubles(page);
  if (values.steps !== undefined) await shorten(page, Number(values.steps));
  const begun = performance.now();
  const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(1);
  await page.goto(await served.newAddress());
  const screens = new Screens(page, 'zh');
  await screens.heading('name.title').waitFor();
  say(`the page was there after ${seconds()} s (two cores are asked for: ${availableParallelism()} here, load ${loadavg()[0]?.toFixed(1)})`);

  let interactions = 0;
  for (const [field, name] of [['name.owner', '剑锋大佬'], ['name.name', '小锋']] as const) {
    await screens.field(field).fill(name);
    interactions++;
  }
  const pressed = performance.now();
  await screens.button('name.make').click();
  interactions++;
  await page.waitForURL(/#run\/[\w-]+\/train$/, { timeout: 60_000 });
  say(`it was training ${((performance.now() - pressed) / 1000).toFixed(1)} s after the button`);
  await screens.compared(1_800_000);
  const took = (performance.now() - begun) / 1000;

  const window = await served.window();
  const [run] = await window.request('runs.list', {});
  const details = await window.request('runs.get', { run: run?.run ?? '' });
  say(`comparison after ${took.toFixed(0)} s (bar ${BAR_SECONDS} s), ${interactions} interactions (bar ${BAR_INTERACTIONS}): ${details.step} of ${details.steps} steps, right: ${details.right}, scores ${JSON.stringify(details.checkpoints.find(({ step }) => step === details.chosen_step)?.scores)}`);
  for (const [i, { question, answer }] of details.before.entries()) say(`  ${question}\n    before: ${answer}\n    after:  ${details.after[i]?.answer}`);
  window.socket.close();
  if (troubles.length > 0) throw new Error(`the page complained: ${troubles.join('\n')}`);
} finally {
  await browser.close();
  await served.end();
  rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
