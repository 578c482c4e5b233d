import { IntlMessageFormat } from 'intl-messageformat';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCodes, NamesakeError } from '../../shared/errors.ts';
import { en } from '../../shared/i18n/en.ts';
import { explainError, translate, type MessageKey } from '../../shared/i18n/translate.ts';
import { zh } from '../../shared/i18n/zh.ts';
import { languages } from '../../shared/persona.ts';
import { root } from '../support/files.ts';

type Element = ReturnType<IntlMessageFormat['getAst']>[number];

/** Names of a message's placeholders, those inside plurals and choices too. */
function placeholders(message: string, locale: string): string[] {
  const walk = (elements: readonly Element[]): string[] =>
    elements.flatMap((element) => [
      ...('value' in element && element.type !== 0 ? [String(element.value)] : []),
      ...('options' in element ? Object.values(element.options).flatMap(({ value }) => walk(value)) : []),
    ]);
  return [...new Set(walk(new IntlMessageFormat(message, locale).getAst()))].sort();
}

const keys = Object.keys(en) as MessageKey[];

describe('the catalogue', () => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  });

  it.each(keys)('has the same placeholders in both languages: %s', (key) => {
    expect(placeholders(zh[key], 'zh')).toEqual(placeholders(en[key], 'en'));
  });

  it('is written in the language that it claims', () => {
    expect(keys.filter((key) => key.startsWith('error.') && !/\p{Script=Han}/u.test(zh[key]))).toEqual([]);
    expect(keys.filter((key) => /\p{Script=Han}/u.test(en[key]))).toEqual([]);
  });

  it.each(errorCodes)('says what to do about %s', (code) => {
    for (const language of languages) {
      const words = explainError(language, new NamesakeError(code, 'DETAIL', filled));
      expect(words.length).toBeGreaterThan(6);
      expect(words).not.toMatch(/[{}]/);
    }
  });

  it('has no word for an error that does not exist', () => {
    const known = new Set<string>(errorCodes.map((code) => `error.${code}`));
    expect(keys.filter((key) => key.startsWith('error.') && !known.has(key))).toEqual([]);
  });
});

/** Every placeholder that error wording uses, filled. */
const filled = Object.fromEntries(
  [...new Set(keys.flatMap((key) => placeholders(en[key], 'en')))].filter((name) => name !== 'detail').map((name) => [name, 'X']),
);

describe('translate', () => {
  it('fills placeholders', () => {
    const error = new NamesakeError('home.newer', 'user_version 9', { path: '/h/namesake.db', found: 9, known: 1 });
    expect(explainError('en', error)).toContain('/h/namesake.db');
    expect(explainError('zh', error)).toMatch(/9.*1/);
  });

  it('takes text that looks like a placeholder or markup as text', () => {
    const words = explainError('en', new NamesakeError('internal', '<b>{name}</b> $&'));
    expect(words).toContain('<b>{name}</b> $&');
  });

  it('throws for a placeholder that nobody fills', () => {
    expect(() => translate('en', 'error.home.newer', {})).toThrow();
  });

  it('gets every placeholder of an error from the code that throws it', () => {
    const thrown: string[] = [];
    let calls = 0;
    for (const file of globSync('{main,shared}/**/*.ts', { cwd: root })) {
      const source = readFileSync(join(root, file), 'utf8');
      for (const match of source.matchAll(/new NamesakeError\(\s*'([\w.]+)'/g)) {
        const call = source.slice(match.index, closing(source, match.index + 'new NamesakeError'.length));
        const needed = placeholders(en[`error.${match[1] ?? ''}` as MessageKey], 'en').filter((name) => name !== 'detail');
        calls++;
        for (const name of needed) {
          if (!new RegExp(`\\b${name}\\b\\s*[:,}]|\\bparams\\b`).test(call)) thrown.push(`${file}: ${match[1] ?? ''} without ${name}`);
        }
      }
    }
    expect(thrown).toEqual([]);
    expect(calls).toBeGreaterThan(30);
  });
});

/** Index behind the bracket that closes the one at `open`. */
function closing(source: string, open: number): number {
  let depth = 0;
  for (let i = open; i < source.length; i++) {
    if (source[i] === '(') depth++;
    if (source[i] === ')' && --depth === 0) return i + 1;
  }
  return source.length;
}
