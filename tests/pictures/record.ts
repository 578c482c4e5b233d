// Record: the way from two names to a comparison as a short film: frames over CDP, put together by ffmpeg.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { CDPSession, Locator, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { Screens } from '../support/screens.ts';
import { ServedProgram } from '../support/served-program.ts';

const FILM = join(root, 'docs', 'journey.webm');
const SIZE = { width: 1120, height: 700 };
/** How much faster than it was the training is shown. */
const HURRY = 12;
/** No picture stands longer than this in the film, in seconds. */
const LONGEST = 1.2;
const MOST_BYTES = 3e6;

interface Frame {
  path: string;
  /** In seconds. */
  at: number;
  speed: number;
}

/** Keeps what a page shows, frame by frame. */
class Camera {
  readonly frames: Frame[] = [];
  speed = 1;
  readonly #session: CDPSession;
  readonly #folder: string;

  constructor(session: CDPSession, folder: string) {
    this.#session = session;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    this.#session.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
      const path = join(this.#folder, `${String(this.frames.length).padStart(6, '0')}.jpg`);
      writeFileSync(path, Buffer.from(data, 'base64'));
      this.frames.push({ path, at: metadata.timestamp ?? 0, speed: this.speed });
      void this.#session.send('Page.screencastFrameAck', { sessionId }).catch(() => undefined);
    });
    await this.#session.send('Page.startScreencast', { format: 'jpeg', quality: 90, maxWidth: SIZE.width, maxHeight: SIZE.height });
  }

  stop(): Promise<unknown> {
    return this.#session.send('Page.stopScreencast');
  }

  /** The list that ffmpeg's concat reads: every frame with how long it stands. */
  list(): string {
    const lines = this.frames.map(({ path, at, speed }, i) => {
      const next = this.frames[i + 1]?.at ?? at + 2 * speed;
      return `file '${path}'\nduration ${Math.max(0.001, Math.min(LONGEST, (next - at) / speed)).toFixed(3)}`;
    });
    return `${lines.join('\n')}\nfile '${this.frames.at(-1)?.path ?? ''}'\n`;
  }
}

/** Types as people do, so that what follows is seen. */
async function type(field: Locator, words: string): Promise<void> {
  await field.pressSequentially(words, { delay: 90 });
  await field.page().waitForTimeout(500);
}

async function journey(page: Page, camera: Camera): Promise<void> {
  const screens = new Screens(page, 'en');
  await page.waitForTimeout(800);
  await type(screens.field('name.owner'), '剑锋大佬');
  await type(screens.field('name.name'), '小锋');
  await page.waitForTimeout(900);
  await screens.make();
  await page.waitForTimeout(1500);
  camera.speed = HURRY;
  await screens.compared(900_000);
  camera.speed = 1;
  await page.waitForTimeout(1500);
  await type(screens.field('compare.input'), 'Who are you?');
  await page.keyboard.press('Enter');
  await screens.button('compare.stop').waitFor();
  await screens.answered('Who are you?');
  await page.waitForTimeout(2500);
}

/** Makes docs/journey.webm with the built program on the default model. Throws where ffmpeg or the model is not there. */
export async function record(program: string, say: (line: string) => void): Promise<void> {
  if (spawnSync('ffmpeg', ['-version']).status !== 0) throw new Error('ffmpeg is not installed: apt-get install ffmpeg');
  const folder = mkdtempSync(join(tmpdir(), 'namesake-film-'));
  const home = join(folder, 'home');
  const models = join(home, 'models', basename(dirname(defaultModel)));
  mkdirSync(models, { recursive: true });
  symlinkSync(defaultModel, join(models, basename(defaultModel)));
  const served = await ServedProgram.start(home, resolve(program), 0);
  const browser = await launchChromium();
  try {
    const page = await (await browser.newContext({ locale: 'en-GB', viewport: SIZE })).newPage();
    await page.goto(await served.newAddress());
    const camera = new Camera(await page.context().newCDPSession(page), folder);
    await camera.start();
    await journey(page, camera);
    await camera.stop();
    const list = join(folder, 'frames.txt');
    writeFileSync(list, camera.list());
    const made = spawnSync(
      'ffmpeg',
      ['-y', '-loglevel', 'error', '-f', 'concat', '-safe', '0', '-i', list, '-vf', 'fps=15,scale=trunc(iw/2)*2:trunc(ih/2)*2', '-c:v', 'libvpx-vp9', '-crf', '40', '-b:v', '0', '-an', FILM],
      { stdio: 'inherit' },
    );
    if (made.status !== 0) throw new Error(`ffmpeg ended with ${made.status}`);
    const { size } = statSync(FILM);
    say(`${FILM}: ${(size / 1e6).toFixed(1)} MB of ${camera.frames.length} frames`);
    if (size > MOST_BYTES) throw new Error(`the film is larger than ${MOST_BYTES / 1e6} MB`);
  } finally {
    await browser.close();
    await served.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
