// Words of rows: what is shown and typed, and the row that comes of it.
import { describe, expect, it } from 'vitest';
import { canBeRow, kinds, lastTurn, withWords, wordsOf, type Words } from '../../../../renderer/screens/learn/row-words.ts';
import { groupsOf } from '../../../../renderer/screens/learn/token-groups.ts';
import { withMarks } from '../../../../renderer/screens/learn/template-marks.ts';
import { rowKinds, rowSchema, type Row } from '../../../../shared/row.ts';

const made = (...messages: unknown[]): Row => rowSchema.parse({ id: 'a', kind: 'ordinary', lang: 'en', origin: 'base', messages });
const system = { role: 'system', content: 'Be brief.' };
const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string, more: object = {}) => ({ role: 'assistant' as const, content, ...more });

it('knows every kind of row', () => {
  expect([...kinds].sort()).toEqual([...rowKinds].sort());
});

describe('what is shown', () => {
  it('is the last question with its answer, and how many turns were before', () => {
    expect(lastTurn(made(system, user('a'), assistant('b'), user('c'), assistant('d')))).toEqual({ question: 'c', answer: 'd', before: 1 });
    expect(lastTurn(made(user('a')))).toEqual({ question: 'a', answer: null, before: 0 });
  });
});

describe('what is typed', () => {
  const typed = (row: Row, change: (words: Words[]) => void, kind = row.kind, lang = row.lang): Row => {
    const words = structuredClone(wordsOf(row));
    change(words);
    return withWords(row, words, kind, lang);
  };

  it('changes nothing where nothing is typed', () => {
    for (const row of [made(system, user('a'), assistant('b', { cut: true })), made(user('a')), made(user('a'), assistant('b', { loss: false }), user('c'), assistant('d'))]) {
      expect(typed(row, () => undefined)).toEqual(row);
    }
  });

  it('takes the place of a message; the others, their flags and the system text stay', () => {
    const row = made(system, user('a'), assistant('b', { loss: false }), user('c'), assistant('d', { cut: true }));
    expect(typed(row, (words) => words.forEach((one, i) => (one.content = i === 1 || i === 3 ? 'new' : one.content)), 'identity', 'zh')).toEqual({
      ...row,
      kind: 'identity',
      lang: 'zh',
      messages: [system, user('a'), assistant('new', { loss: false }), user('c'), assistant('new')],
    });
  });

  it('is an answer where none was, or leaves it to the base', () => {
    const row = made(user('a'));
    expect(wordsOf(row)).toEqual([user('a'), assistant('')]);
    expect(typed(row, (words) => ((words[1] as Words).content = 'mine')).messages).toEqual([user('a'), assistant('mine')]);
    expect(typed(made(user('a'), assistant('b')), (words) => ((words[1] as Words).content = ' ')).messages).toEqual([user('a')]);
  });

  it('has to say something in every message but the last answer', () => {
    expect(canBeRow([user('a'), assistant('')])).toBe(true);
    expect(canBeRow([user(' '), assistant('b')])).toBe(false);
    expect(canBeRow([user('a'), assistant(''), user('b'), assistant('c')])).toBe(false);
    expect(canBeRow([])).toBe(false);
  });
});

it('the template’s marks are parted from what is said, and all pieces are the text', () => {
  const token = (piece: string, special: boolean) => ({ id: 1, piece, learnt: false, special });
  const text = '<s>hi <b> there</s>\n';
  const pieces = withMarks(text, [token('<s>', true), token('hi', false), token(' <', false), token('b>', false), token('</s>', true)]);
  expect(pieces.filter(({ mark }) => mark).map((piece) => piece.text)).toEqual(['<s>', '</s>']);
  expect(pieces.map((piece) => piece.text).join('')).toBe(text);
  expect(withMarks('', [])).toEqual([]);
});

describe('tokens with their text', () => {
  const tokens = (...pieces: string[]) => pieces.map((piece, id) => ({ id, piece, learnt: false, special: piece.startsWith('<') }));
  const texts = (template: string, ...pieces: string[]): [string, number][] => groupsOf(template, tokens(...pieces)).map((group) => [group.text, group.tokens.length]);

  it('stand alone, or together where they are parts of characters', () => {
    expect(texts('<s>你是谁 hi</s>', '<s>', '\uFFFD', '\uFFFD', '是', '\uFFFD', '\uFFFD', '\uFFFD', ' hi', '</s>')).toEqual([['<s>', 1], ['你', 2], ['是', 1], ['谁', 3], [' hi', 1], ['</s>', 1]]);
  });

  it('end with parts of characters, or begin with a mark that the template does not write', () => {
    expect(texts('是你', '<bos>', '是', '\uFFFD', '\uFFFD')).toEqual([['<bos>', 1], ['是', 1], ['你', 2]]);
    expect(texts('', '\uFFFD')).toEqual([['', 1]]);
    expect(texts('')).toEqual([]);
  });

  it('are all there, in order', () => {
    const all = tokens('a', '\uFFFD', 'b', '\uFFFD', '\uFFFD');
    expect(groupsOf('a你b好', all).flatMap((group) => group.tokens.map(({ index }) => index))).toEqual([0, 1, 2, 3, 4]);
  });
});
