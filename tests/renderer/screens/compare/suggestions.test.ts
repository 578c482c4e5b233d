import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { langOf, suggestionKinds, suggestions } from '../../../../renderer/screens/compare/suggestions.ts';
import { root } from '../../../support/files.ts';

describe('questions to begin with', () => {
  it('are in the assistant’s languages, the page’s first, with each kind there once at least', () => {
    expect(suggestions(['en'], 'zh').map(({ kind }) => kind)).toEqual(suggestionKinds);
    const both = suggestions(['zh', 'en'], 'en');
    expect(both[0]?.language).toBe('en');
    expect(new Set(both.map(({ kind, language }) => `${language} ${kind}`))).toEqual(
      new Set([...suggestionKinds.map((kind) => `en ${kind}`), 'zh identity', 'zh lookalike']),
    );
    for (const { question, language } of both) expect(langOf(question)).toBe(language === 'zh' ? 'zh-CN' : 'en');
  });

  // What it was checked with says nothing any more once it is also what it is shown with; what it learnt word by word says less.
  it.each(['probes/choose', 'probes/report', 'wizard', 'ordinary'])('are not among those of %s', (folder) => {
    for (const language of ['zh', 'en'] as const) {
      const file = join(root, 'resources', folder, `${language}.${folder === 'ordinary' ? 'jsonl' : 'json'}`);
      const text = readFileSync(file, 'utf8').toLowerCase();
      for (const { question } of suggestions([language], language)) expect(text).not.toContain(question.toLowerCase());
    }
  });
});
