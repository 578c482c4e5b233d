// The system's Chromium, as a person would use it: a profile of its own that is thrown away, no word to the network.
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core';
import { onTestFinished } from 'vitest';

/** Where distributions put it; NAMESAKE_CHROMIUM names another one. */
const places = [process.env['NAMESAKE_CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** How long a page may take for one thing: on a busy machine half a minute is soon over. */
export const PATIENCE_MS = 90_000;

/** The browser's path; null where there is none. Tests that need one are skipped by name then: `it.skipIf(!chromiumPath)`. */
export const chromiumPath: string | null = places.find((place) => place !== '' && existsSync(place)) ?? null;

/** Starts a browser; the caller closes it. Its profile is a temporary folder that goes with it. */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (chromiumPath === null) throw new Error('there is no Chromium on this machine');
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      // A container's root may not use the browser's own sandbox.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-dev-shm-usage',
      '--no-default-browser-check',
      '--no-first-run',
      ...args,
    ],
  });
}

/** A browser with one empty context for the length of a test, in English unless told otherwise. */
export async function startChromium(options: BrowserContextOptions = {}, args: readonly string[] = []): Promise<BrowserContext> {
  const browser = await launchChromium(args);
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}
