import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createEscape } from '../../../main/pipeline/escape.ts';
import { nastyText } from '../../support/arbitrary.ts';

/** Overlapping, one-character, regular-expression-like and astral specials, as user-defined tokens can be. */
const sets = [['<|im_end|>', '<|im_start|>'], ['aa', 'a'], ['\n\n', '\n', ' '], ['.*', '$', '['], ['🏴', '🏳'], []];
const text = fc.oneof(nastyText, fc.string({ unit: fc.constantFrom('a', '.', '*', '$', '\n', ' ', '🏴', '🏳', '\uFDD0', '\uFDD1') }));

it.each(sets.map((specials) => [JSON.stringify(specials), specials] as const))('hides %s everywhere and gives it back', (_, specials) => {
  const { escape, unescape, split } = createEscape(specials);
  fc.assert(
    fc.property(text, (plain) => {
      const hidden = escape(plain);
      for (const special of specials) expect(hidden.includes(special)).toBe(false);
      expect(unescape(hidden)).toBe(plain);
      expect(split(hidden)).toEqual([hidden]);
    }),
  );
});

it('parts text at specials', () => {
  expect(createEscape(['<b>', '<a>']).split('x<a>y<b><a>')).toEqual(['x', '<a>', 'y', '<b>', '', '<a>', '']);
});

it('leaves text without specials as it is, so that templates can parse it', () => {
  const { escape } = createEscape(['<|im_end|>']);
  expect(escape('a <b> c')).toBe('a <b> c');
  expect(escape('<|im_end|>').endsWith('|im_end|>')).toBe(true);
});
