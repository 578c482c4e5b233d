// Troubles: what a page complains about: errors, warnings, broken policies, failed requests.
import type { Page } from 'playwright-core';

/** Collects a page's complaints from now on. */
export function watchTroubles(page: Page): string[] {
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.stack ?? String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  return troubles;
}
