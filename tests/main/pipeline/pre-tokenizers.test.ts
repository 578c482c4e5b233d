import fc from 'fast-check';
import { expect, it } from 'vitest';
import { preTokenizers, splitWords } from '../../../main/pipeline/pre-tokenizers.ts';
import { nastyText } from '../../support/arbitrary.ts';

function words(name: string, text: string): string[] {
  const preTokenizer = preTokenizers.get(name);
  if (preTokenizer === undefined) throw new Error(name);
  return splitWords(text, preTokenizer);
}

it.each([
  ['gpt-2', 'I’m it\'s 1234 x', ['I', '’', 'm', ' it', "'s", ' 1234', ' x']],
  ['smollm', 'a12  b', ['a', '1', '2', ' ', ' b']],
  ['qwen2', "IT'S 12 a\n\n b!\n", ['IT', "'S", ' ', '1', '2', ' a', '\n\n', ' b', '!\n']],
  ['llama-bpe', "we'Re 12345", ['we', "'Re", ' ', '123', '45']],
  // Without regard to case, U+017F is an s.
  ['llama3', "x'ſy", ['x', "'ſ", 'y']],
  // U+0085 is a blank for Python; U+FEFF is none.
  ['qwen2', 'a \u0085b', ['a', ' ', '\u0085b']],
  ['llama-v3', 'a \uFEFFb', ['a', ' \uFEFF', 'b']],
])('%s parts %j', (name, text, expected) => {
  expect(words(name, text)).toEqual(expected);
});

it('loses nothing', () => {
  fc.assert(
    fc.property(nastyText, fc.constantFrom(...preTokenizers.keys()), (text, name) => {
      expect(words(name, text).join('')).toBe(name === 'qwen2' ? text.normalize('NFC') : text);
    }),
  );
});

it('brings text to form C for Qwen alone', () => {
  expect(words('qwen2', 'e\u0301')).toEqual(['é']);
  expect(words('llama-bpe', 'e\u0301')).toEqual(['e', '\u0301']);
});
