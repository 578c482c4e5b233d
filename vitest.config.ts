import { svelte } from '@sveltejs/vite-plugin-svelte';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** What drives a browser, an app or a package: one file at a time, and slow. */
const wholes = ['tests/e2e/**/*.test.ts', 'tests/packages/**/*.test.ts', 'tests/renderer/{page,page-*,reconnect}.test.ts', 'tests/main/serve/chromium.test.ts'];

/** How long a polled condition may take to come true: a busy machine is slow, and only a failure waits this long. */
const patient = { poll: { timeout: 30_000 } };

/**
 * `unit`: everything that runs on tiny models; `renderer`: what the page's screens do. `e2e`: the same through the page, both
 * window doors and the packages.
 * `journeys`: the built program on the real model, one file at a time. `card`: the built program on the stand-in for a card.
 */
export default defineConfig({
  test: {
    // Left to itself it keeps one core free, which of two is half.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/{shared,main,architecture,tools}/**/*.test.ts'],
          exclude: wholes,
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patient,
        },
      },
      {
        // What screens do, without a browser: runes are compiled as for the page.
        plugins: [svelte({ configFile: join(import.meta.dirname, 'svelte.config.js') })],
        resolve: { conditions: ['browser'] },
        test: {
          name: 'renderer',
          include: ['tests/renderer/**/*.test.ts'],
          exclude: wholes,
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patient,
        },
      },
      {
        test: {
          name: 'e2e',
          include: wholes,
          environment: 'node',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
          expect: patient,
        },
      },
      {
        test: {
          name: 'card',
          include: ['tests/card/**/*.test.ts'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'journeys',
          include: ['tests/journeys/**/*.test.ts'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          expect: patient,
        },
      },
    ],
  },
});
