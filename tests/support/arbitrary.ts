// Random values for properties. Every property runs with one seed, which fast-check prints when it fails.
import fc from 'fast-check';
import type { Message } from '../../shared/row.ts';

fc.configureGlobal({ seed: 20240607 });

const scraps = [
  '<|im_start|>', '<|im_end|>', '<|endoftext|>', '<|im_', 'end|>', '<', '|', '<<|im_end|>>', '\uFDD0', '\uFDD1', '\uFDD0\uFDD4',
  '\uFDEF', ' ', '  ', '\n', '\n\n', '\t', '\r\n', '42', '½', '٣', '我是谁', '👩‍👩‍👧', '🏴', 'é', 'e\u0301', '\u202E', '\uFEFF',
  '\u0085', '\u00A0', '{{ messages }}', '{% for', 'assistant\n', "I'm", '\0', '\u{10FFFF}',
]; // prettier-ignore

/** Well-formed text full of what breaks tokenizers and templates. */
export const nastyText = fc
  .array(fc.oneof(fc.constantFrom(...scraps), fc.string({ unit: 'binary', maxLength: 6 }), fc.string({ maxLength: 6 })), {
    maxLength: 8,
  })
  .map((parts) => parts.join('').toWellFormed());

/** user, assistant, user, assistant … with an optional system text; loss and cut flags anywhere on the assistant. */
export const conversation: fc.Arbitrary<Message[]> = fc
  .record({
    system: fc.option(nastyText, { nil: null }),
    turns: fc.array(
      fc.record({ asked: nastyText, said: nastyText, loss: fc.constantFrom(undefined, true, false), cut: fc.constantFrom(undefined, true) }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ system, turns }) => [
    ...(system === null ? [] : [{ role: 'system' as const, content: system }]),
    ...turns.flatMap(({ asked, said, loss, cut }) => [
      { role: 'user' as const, content: asked },
      { role: 'assistant' as const, content: said, ...(loss === undefined ? {} : { loss }), ...(cut === undefined ? {} : { cut }) },
    ]),
  ]);
