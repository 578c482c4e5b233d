// Both window doors of the built program, as a journey walks through them: opened, closed, killed and opened again on one home.
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { Language } from '../../shared/persona.ts';
import { out, shells, type DesktopApp, type Shell } from '../e2e/standin/launch.ts';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { root } from '../support/files.ts';
import { childrenOf } from '../support/processes.ts';
import { Screens } from '../support/screens.ts';
import { ServedProgram } from '../support/served-program.ts';
import { watchTroubles } from '../support/troubles.ts';

/** The program with a window on it. */
export interface OpenProgram {
  page: Page;
  screens: Screens;
  /** What the page complained about. */
  troubles: string[];
  /** Processes that it has started. */
  children(): number[];
  /** Ends it as a person does. */
  quit(): Promise<void>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
}

export interface WindowDoor {
  name: string;
  missing: string | null;
  /** Starts the program on a home for a person whose system speaks `language`. */
  open(home: string, language: Language, env?: Record<string, string>): Promise<OpenProgram>;
  close(): Promise<void>;
}

const locales: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' };
/** A busy machine answers late; only what fails waits this long. */
const PATIENCE_MS = 60_000;

/** Keeps what the page showed where the test fails. */
function keepPicture(page: Page): void {
  onTestFinished(async ({ task }) => {
    if (task.result?.state !== 'fail' || page.isClosed()) return;
    const name = `${task.name.replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80)}.png`;
    await page.screenshot({ path: join(root, 'test-results', name) }).catch(() => undefined);
  });
}

class ServeDoor implements WindowDoor {
  readonly name = 'serve';
  readonly missing = chromiumPath === null ? 'no Chromium' : null;
  #browser: Browser | null = null;

  async open(home: string, language: Language, env: Record<string, string> = {}): Promise<OpenProgram> {
    this.#browser ??= await launchChromium();
    const served = await ServedProgram.start(home, join(out, 'main', 'cli.js'), 0, env);
    const context = await this.#browser.newContext({ locale: locales[language], viewport: { width: 1200, height: 800 }, acceptDownloads: true });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const troubles = watchTroubles(page);
    keepPicture(page);
    await page.goto(await served.newAddress());
    return {
      page,
      screens: new Screens(page, language),
      troubles,
      children: () => childrenOf(served.pid),
      quit: async () => {
        await context.close();
        await served.end();
      },
      kill: async () => {
        await served.kill();
        await context.close();
      },
    };
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }
}

class DesktopDoor implements WindowDoor {
  readonly name: string;
  readonly missing: string | null;
  readonly #shell: Shell;
  #open = false;

  constructor(shell: Shell) {
    this.#shell = shell;
    this.name = `desktop in ${shell.name}`;
    this.missing = shell.missing;
  }

  async open(home: string, language: Language, env: Record<string, string> = {}): Promise<OpenProgram> {
    if (!this.#open) await this.#shell.open();
    this.#open = true;
    const app: DesktopApp = await this.#shell.launch({ home, env: { STANDIN_LANGUAGE: locales[language], LANG: language === 'zh' ? 'zh_CN.UTF-8' : 'en_GB.UTF-8', ...env } });
    const page = await app.page();
    page.setDefaultTimeout(PATIENCE_MS);
    keepPicture(page);
    return {
      page,
      screens: new Screens(page, language),
      troubles: watchTroubles(page),
      children: () => childrenOf(app.pid),
      quit: async () => {
        await app.evaluate(({ app }) => void setTimeout(() => app.quit(), 10));
        await app.ended;
      },
      kill: () => app.kill(),
    };
  }

  async close(): Promise<void> {
    if (this.#open) await this.#shell.close();
  }
}

/** The browser door, and the desktop door in the stand-in. */
export const windowDoors: Record<'serve' | 'desktop', () => WindowDoor> = {
  serve: () => new ServeDoor(),
  desktop: () => new DesktopDoor((shells[0] as () => Shell)()),
};
