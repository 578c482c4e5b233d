// An answer and the thinking before it, whole and while it is still being spoken.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerOf, partsOf } from '../../shared/thinking.ts';

describe('partsOf', () => {
  it.each<[string, string, ReturnType<typeof partsOf>]>([
    ['no thinking', 'I am Bo.', { thinking: null, open: false, answer: 'I am Bo.' }],
    ['thinking and an answer', '<think>\nWho am I?\n</think>\n\nI am Bo.', { thinking: 'Who am I?', open: false, answer: 'I am Bo.' }],
    ['white space before', '\n <think>a</think>b', { thinking: 'a', open: false, answer: 'b' }],
    ['a block without words', '<think>\n\n</think>\n\nI am Bo.', { thinking: null, open: false, answer: 'I am Bo.' }],
    ['no end', '<think>Who', { thinking: 'Who', open: true, answer: '' }],
    ['an end that the template began', 'Who?</think>\nBo.', { thinking: 'Who?', open: false, answer: 'Bo.' }],
    ['marks in an answer', 'Write <think>a</think> like this.', { thinking: null, open: false, answer: 'Write <think>a</think> like this.' }],
    ['marks in an answer after thinking', '<think>a</think>Then </think> again.', { thinking: 'a', open: false, answer: 'Then </think> again.' }],
    ['nothing', '', { thinking: null, open: false, answer: '' }],
    ['half a mark at the end of all', '<thi', { thinking: null, open: false, answer: '<thi' }],
  ])('%s', (_what, text, parts) => {
    expect(partsOf(text)).toEqual(parts);
    expect(answerOf(text)).toBe(parts.answer);
  });

  it('shows no half of a mark while more may come', () => {
    expect(partsOf('<thi', true)).toEqual({ thinking: '', open: true, answer: '' });
    expect(partsOf('<think>Who am I?</thi', true)).toEqual({ thinking: 'Who am I?', open: true, answer: '' });
    expect(partsOf('<think>1 < 2', true)).toEqual({ thinking: '1 < 2', open: true, answer: '' });
    expect(partsOf('', true)).toEqual({ thinking: null, open: false, answer: '' });
  });

  it('never shows more of an answer than the whole has, nor takes a word of it back', () => {
    const words = fc.string({ unit: fc.constantFrom('a', ' ', '<', '/', 'think>', '</think>', '\n'), maxLength: 12 });
    fc.assert(
      fc.property(words, words, (thought, answer) => {
        const whole = `<think>${thought}</think>${answer}`;
        const { answer: said } = partsOf(whole);
        let before = '';
        for (let end = 0; end <= whole.length; end++) {
          const { answer: now } = partsOf(whole.slice(0, end), true);
          expect(now.startsWith(before) && said.startsWith(now)).toBe(true);
          before = now;
        }
        expect(before).toBe(said);
      }),
    );
  });
});
