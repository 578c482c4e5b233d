import { IntlMessageFormat } from 'intl-messageformat';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCodes, NamesakeError } from '../../shared/errors.ts';
import { en } from '../../shared/i18n/en.ts';
import { explainError, translate, type MessageKey } from '../../shared/i18n/translate.ts';
import { zh } from '../../shared/i18n/zh.ts';
import { languages, type Language } from '../../shared/persona.ts';
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

/** The keys of each file of a language. */
async function parts(language: Language): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const file of globSync(`shared/i18n/${language}/*.ts`, { cwd: root })) {
    const module = (await import(join(root, file))) as Record<string, Record<string, string>>;
    found.set(file, Object.values(module).flatMap((words) => Object.keys(words)));
  }
  return found;
}

/** What the sources ask for by its whole key, and the beginnings and ends of keys that they put together. */
function asked(): { whole: Set<string>; made: RegExp[] } {
  const whole = new Set<string>();
  const made: RegExp[] = [];
  for (const file of globSync('{main,preload,renderer,shared}/**/*.{ts,svelte}', { cwd: root, exclude: ['shared/i18n/{en,zh}/**'] })) {
    const source = readFileSync(join(root, file), 'utf8');
    for (const [, key = ''] of source.matchAll(/['"`]([a-z][\w-]*(?:\.[\w-]+)+)['"`]/g)) whole.add(key);
    for (const [, template = ''] of source.matchAll(/`([a-z][\w-]*\.[^`\s]*\$\{[^`\s]*)`/g)) {
      made.push(new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\$\{[^}]*\}/g, '.+')}$`));
    }
  }
  return { whole, made };
}

describe('the catalogue', () => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  });

  it.each(languages)('has no key in two files: %s', async (language) => {
    const all = [...(await parts(language)).values()].flat();
    expect(all.filter((key, place) => all.indexOf(key) !== place)).toEqual([]);
    expect(all.length).toBe(keys.length);
  });

  it('has every key in the same file in both languages', async () => {
    const [first, second] = [await parts('en'), await parts('zh')];
    for (const [file, own] of first) expect(second.get(file.replace('/en/', '/zh/'))?.toSorted(), file).toEqual(own.toSorted());
  });

  it('has no word that nobody says', () => {
    const { whole, made } = asked();
    expect(made.length).toBeGreaterThan(3);
    expect(keys.filter((key) => !whole.has(key) && !made.some((pattern) => pattern.test(key)))).toEqual([]);
  });

  it.each(keys)('has the same placeholders in both languages: %s', (key) => {
    expect(placeholders(zh[key], 'zh')).toEqual(placeholders(en[key], 'en'));
  });

  it('is written in the language that it claims', () => {
    expect(keys.filter((key) => key.startsWith('error.') && !/\p{Script=Han}/u.test(zh[key]))).toEqual([]);
    expect(keys.filter((key) => /\p{Script=Han}/u.test(en[key]))).toEqual([]);
  });

  it('has one word for one thing: what is learnt are conversations, and most of them are everyday ones', () => {
    // The recipe's own names may be told, as names.
    const plain = (words: string): string => words.replaceAll(/data\.mix\.ordinary|[(（]ordinary[)）]/g, '');
    expect(keys.filter((key) => /\bordinary\b/i.test(plain(en[key])))).toEqual([]);
    const settings = keys.filter((key) => /^(train|alarm|field|fields|why)\./.test(key));
    expect(settings.filter((key) => /例子|日常对话|日常问题/.test(zh[key]))).toEqual([]);
    expect(settings.filter((key) => /\bexamples?\b/i.test(en[key]))).toEqual([]);
  });

  it.each(languages)('says the same on every button that makes the assistant: %s', (language) => {
    const buttons = (['name.make', 'learn.make', 'train.draft_start'] as const).map((key) => translate(language, key));
    expect(new Set(buttons).size).toBe(1);
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
