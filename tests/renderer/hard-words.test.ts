// Words in the page's own markup: there are none. What a person reads or hears comes from the catalogue.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';
import { root } from '../support/files.ts';

/** Attributes and properties of parts whose text is read or heard. */
const spoken = new Set(
  'aria-label aria-description aria-roledescription aria-valuetext title placeholder alt label text hint description question detail yes no unit'.split(' '),
);
/** What is the same in every language: the product's name. */
const names = /^Namesake$/;

type Node = Record<string, unknown> & { type: string };

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
const hasWords = (text: string): boolean => /\p{L}/u.test(text) && !names.test(text.trim());

/** Texts that an expression can become by itself; what a function is asked with is not shown. */
function texts(expression: Node): string[] {
  const inside = (...parts: unknown[]): string[] => parts.filter(isNode).flatMap(texts);
  switch (expression.type) {
    case 'Literal':
      return typeof expression['value'] === 'string' ? [expression['value']] : [];
    case 'TemplateLiteral': {
      const quasis = expression['quasis'] as { value: { cooked: string } }[];
      return [...quasis.map(({ value }) => value.cooked), ...inside(...(expression['expressions'] as Node[]))];
    }
    case 'ConditionalExpression':
      return inside(expression['consequent'], expression['alternate']);
    case 'LogicalExpression':
      return inside(expression['right'], expression['left']);
    case 'BinaryExpression':
      return expression['operator'] === '+' ? inside(expression['left'], expression['right']) : [];
    default:
      return [];
  }
}

/** Words that the markup of a component holds. */
function wordsIn(source: string): string[] {
  const found: string[] = [];
  const note = (text: string): void => {
    if (hasWords(text)) found.push(text.trim());
  };
  const value = (part: unknown): void => {
    if (!isNode(part)) return;
    if (part.type === 'Text') note(String(part['data']));
    if (part.type === 'ExpressionTag') texts(part['expression'] as Node).forEach(note);
  };
  const walk = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(walk);
    if (!isNode(part)) return;
    if (part.type === 'Attribute') {
      if (spoken.has(String(part['name']))) [part['value']].flat().forEach(value);
      return;
    }
    if (part.type === 'Text' || part.type === 'ExpressionTag') value(part);
    else Object.values(part).forEach((inner) => walk(isNode(inner) || Array.isArray(inner) ? inner : null));
  };
  walk(parse(source, { modern: true }).fragment);
  return found;
}

describe('the page’s markup', () => {
  const files = globSync('renderer/**/*.svelte', { cwd: root });

  it('is what is looked at', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)('%s has no words of its own', (file) => {
    expect(wordsIn(readFileSync(join(root, file), 'utf8'))).toEqual([]);
  });

  it.each([
    ['<p>Hello</p>', 'Hello'],
    ['{#if a}<p>{a} tokens</p>{/if}', 'tokens'],
    ['<p>{a ? "yes" : t("no")}</p>', 'yes'],
    ['<p>{`${a} steps`}</p>', 'steps'],
    ['<button aria-label="Close">×</button>', 'Close'],
    ['<Part label={a ?? "None"} />', 'None'],
    ['{#each list as one}<i title="第 {one} 步"></i>{/each}', '第'],
  ])('%s would be noticed', (source, word) => {
    expect(wordsIn(source)).toContain(word);
  });

  it.each(['<p class="quiet">{t("page.new")} · {a}</p>', '<a href="#new">Namesake</a>', '<Part look="primary" label={t(`badge.${a}`)} />', '<p>{a === "done" ? 1 : 2} × 3</p>'])(
    '%s is fine',
    (source) => {
      expect(wordsIn(source)).toEqual([]);
    },
  );
});
