import { expect, test } from 'vitest';
import { firstWords } from '../../../../renderer/screens/compare/first-words.ts';
import { translate } from '../../../../shared/i18n/translate.ts';

test('a conversation is called by its first words, on one line that fits', () => {
  expect(firstWords({ first: ' Who are\n  you? ' })).toBe('Who are you?');
  expect(firstWords({ first: 'a '.repeat(100) })).toBe(`${'a '.repeat(29)}a…`);
  // No half of a character is left.
  expect(firstWords({ first: '🐷'.repeat(61) })).toBe(`${'🐷'.repeat(59)}…`);
});

test('two conversations have two names to be deleted by, also where they began with the same question', () => {
  for (const language of ['en', 'zh'] as const) {
    const names = [['Who are you?', '1 May'], ['Who are you?', '2 May'], ['Hi', '2 May']].map(([first = '', when = '']) => translate(language, 'compare.delete', { first, when }));
    expect(new Set(names).size).toBe(3);
  }
});
