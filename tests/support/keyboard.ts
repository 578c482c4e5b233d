// Keyboard: a page worked with by Tab and Enter alone.
import type { Page } from 'playwright-core';

type Found = string | ((words: string) => boolean);

/** What has the focus: its accessible name as far as the page states it, and the words of what stands around it. */
function focused(): { name: string; around: string } {
  const element = document.activeElement;
  if (element === null || element === document.body) return { name: '', around: '' };
  const labels = (element as HTMLInputElement).labels ?? [];
  const labelled = element.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id)?.textContent ?? '') ?? [];
  const name = element.getAttribute('aria-label') ?? [...labelled, ...[...labels].map((label) => label.textContent ?? '')].join(' ').trim();
  return {
    name: (name === '' ? (element.textContent ?? '') : name).trim(),
    around: element.closest('li, tr, section, form')?.textContent ?? element.textContent ?? '',
  };
}

/** Presses Tab until what has this name (or these words) has the focus. Throws where a whole round did not find it. */
export async function tabTo(page: Page, what: Found, around: (words: string) => boolean = () => true): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 200; i++) {
    const now = await page.evaluate(focused);
    if ((typeof what === 'string' ? now.name === what : what(now.name)) && around(now.around)) return;
    seen.push(now.name);
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${String(what)}; it leads to ${[...new Set(seen)].join(' | ')}`);
}

/** Goes to a button or a link by Tab and presses it by Enter. */
export async function press(page: Page, what: Found, around?: (words: string) => boolean): Promise<void> {
  await tabTo(page, what, around);
  await page.keyboard.press('Enter');
}
