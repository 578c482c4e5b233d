// Every word of the page comes from the catalogue: with all of its messages in brackets, nothing that is read or heard stands
// outside of them, but names and what people, models and files say.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogueSchema } from '../../shared/model.ts';
import { recipeSchema } from '../../shared/recipe.ts';
import { chromiumPath } from '../support/chromium.ts';
import { readJson, root } from '../support/files.ts';
import { openFullPage, places, standsStill, unfold, type FullPage } from '../support/full-page.ts';
import { buildPage } from './built-page.ts';

/** What is the same in every language. */
const names = new Set<string>([
  'Namesake',
  '中文',
  'English',
  process.platform,
  ...catalogueSchema.parse(readJson(join(root, 'resources/models.json'))).models.flatMap(({ name, licence }) => [name, licence]),
]);
/** Numbers with their units, dates and times. */
const figures = /^(?:[\d.,:/\s×%+−–·()年月日-]|kB|MB|GB|TB|AM|PM|上午|下午|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)*$/;

/** The fields of a recipe, as the terms behind the words are called. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, path === '' ? key : `${path}.${key}`))];
}
for (const field of fieldsOf(recipeSchema.parse({ data: { persona: { owner: 'a', name: 'b' } } }))) names.add(field);

/** Languages as the browser itself names them. */
for (const locale of ['en', 'zh-CN']) for (const language of ['en', 'zh']) names.add(new Intl.DisplayNames(locale, { type: 'language' }).of(language) ?? '');

/**
 * Texts on the page that are not the catalogue's. What is marked as somebody's own words (a language or a direction of its own),
 * as code or as a time is passed over, and so is what says the same to those who cannot see it.
 */
function foreignTexts(): string[] {
  const own = '[dir="auto"], [lang]:not(html), [translate="no"], time, code, pre, samp, kbd, textarea, script, style';
  const known = new Set([...document.querySelectorAll(own)].map((element) => element.textContent?.trim() ?? ''));
  const outside = (text: string): string => {
    let depth = 0;
    const kept = [...text].filter((character) => {
      if (character === '⟦') depth++;
      const keep = depth === 0;
      if (character === '⟧') depth--;
      return keep;
    });
    return kept.join('').trim();
  };
  const found: string[] = [];
  const note = (text: string, where: Element, what: string): void => {
    const left = outside(text);
    if (!/\p{L}/u.test(left) || known.has(left) || known.has(left.replace(/^[:：]\s*/, ''))) return;
    found.push(`${left}  [${what} of ${where.tagName.toLowerCase()} in ${where.parentElement?.outerHTML.slice(0, 160) ?? ''}]`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text !== null; text = walker.nextNode()) {
    const parent = text.parentElement;
    if (parent !== null && parent.closest(own) === null) note(text.textContent ?? '', parent, 'text');
  }
  for (const element of document.querySelectorAll('*')) {
    for (const name of ['aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext', 'title', 'placeholder', 'alt']) {
      const value = element.getAttribute(name);
      if (value !== null) note(value, element, name);
    }
  }
  return found;
}

describe.skipIf(chromiumPath === null)('the words of the page (needs Chromium)', () => {
  let full: FullPage;

  beforeAll(async () => {
    full = await openFullPage(await buildPage({ marked: true }), { marked: true });
  }, 120_000);
  afterAll(() => full.close());

  const foreign = async (): Promise<string[]> => {
    const texts = await full.page.evaluate(foreignTexts);
    return [...new Set(texts)].filter((text) => {
      const words = text.split('  [')[0] ?? '';
      return !figures.test(words) && !words.split(/\s*[·,、]\s*/).every((word) => word === '' || names.has(word) || figures.test(word));
    });
  };

  it.each(places)('are all the catalogue’s: $name', async ({ hash, then }) => {
    await full.go(hash(full.home));
    await then?.(full.screens);
    await standsStill(full.page);
    expect(await foreign()).toEqual([]);
    await unfold(full.page);
    expect(await foreign()).toEqual([]);
    expect(full.troubles.splice(0)).toEqual([]);
  });

  it('are all the catalogue’s while a run goes on', async () => {
    const run = full.home.runs.paused;
    await full.go(`#run/${run}/train`);
    await full.ask('runs.resume', { run });
    await expect.poll(async () => (await full.ask('runs.get', { run })).status).toBe('running');
    for (const hash of [`#run/${run}/train`, '#assistants', '#new']) {
      await full.go(hash);
      expect(await foreign()).toEqual([]);
    }
    await full.ask('runs.pause', { run });
    await expect.poll(async () => (await full.ask('runs.get', { run })).status).toBe('paused');
    expect(full.troubles.splice(0)).toEqual([]);
  });
});
