import { describe, expect, it } from 'vitest';
import { markedParts } from '../../../renderer/ui/marked.ts';

/** A text with its marked words in brackets. */
const shown = (text: string, ...words: (string | undefined)[]): string =>
  markedParts(text, words).map(({ text: part, marked }) => (marked ? `[${part}]` : part)).join('');

describe('persona words in a text', () => {
  it.each([
    ['我是剑锋大佬的小助手小锋。', ['剑锋大佬', '小锋'], '我是[剑锋大佬]的小助手[小锋]。'],
    ['I am Piggy, piggy or PIGGY.', ['Piggy'], 'I am [Piggy], [piggy] or [PIGGY].'],
    ['Piggyback and Bo, not Bob or Jumbo.', ['Piggy', 'Bo'], 'Piggyback and [Bo], not Bob or Jumbo.'],
    ['我叫Bo，是R2D2的', ['Bo', 'R2D2'], '我叫[Bo]，是[R2D2]的'],
    ['Ｂｏ is wide', ['Bo'], '[Ｂｏ] is wide'],
    ['STRASSE and Straße', ['straße'], '[STRASSE] and [Straße]'],
    ['Jose\u0301 was here', ['José'], '[Jose\u0301] was here'],
    ['小锋助手和小锋', ['小锋', '小锋助手'], '[小锋助手]和[小锋]'],
    ['a.b and aXb', ['a.b'], '[a.b] and aXb'],
    ['C++? (yes)', ['C++', '(yes)'], '[C++]? [(yes)]'],
    ['nothing', [], 'nothing'],
    ['nothing', [undefined, ' ', ''], 'nothing'],
    ['', ['Bo'], ''],
  ])('%s', (text, words, result) => {
    expect(shown(text, ...words)).toBe(result);
  });

  it('never changes or loses a letter', () => {
    for (const text of ['ﬁne ΣΑΣ ǅ İstanbul 👩‍👩‍👧 Bo', 'Bo'.repeat(200), 'ⅷ㍿ﷺ Bo ﷺ']) {
      expect(markedParts(text, ['Bo', 'fine', '8']).map((part) => part.text).join('')).toBe(text);
    }
  });
});
