import { describe, expect, it } from 'vitest';
import { answerOf, nearestRows, questionOf, searchWords } from '../../../../renderer/screens/compare/nearest-rows.ts';
import type { Api } from '../../../../renderer/api.ts';
import type { NumberedRow } from '../../../../shared/draft.ts';

const row = (number: number, question: string, answer: string): NumberedRow => ({
  number,
  pending: false,
  row: { id: `r${number}`, kind: 'identity', lang: 'en', origin: 'wizard', messages: [{ role: 'user', content: question }, { role: 'assistant', content: answer }] },
});

/** Rows as the core finds them: those in which the word stands. */
function source(rows: readonly NumberedRow[]): Pick<Api, 'request'> & { asked: unknown[] } {
  const asked: unknown[] = [];
  const request = (_name: string, input: { search: string; limit: number }): Promise<unknown> => {
    asked.push(input);
    const found = rows.filter((one) => `${questionOf(one)}\n${answerOf(one)}`.toLowerCase().includes(input.search));
    return Promise.resolve({ total: found.length, rows: found.slice(0, input.limit) });
  };
  return { request: request as Api['request'], asked };
}

describe('the words that a question is looked for by', () => {
  it.each([
    ['Who is the author of Hamlet?', ['author', 'hamlet']],
    ['What is a good name for a cat?', ['good', 'name', 'cat']],
    ['给我家的猫起个名字', ['给我', '我家', '家的', '的猫', '猫起', '起个', '个名', '名字']],
    ['我用Python写代码', ['python', '我用', '写代', '代码']],
    ['?!', []],
  ])('%s', (question, words) => {
    expect(searchWords(question)).toEqual(words);
  });
});

describe('the rows that are like a question', () => {
  const rows = [
    row(1, 'What is your name?', 'I am Bo.'),
    row(2, 'Name a good fish.', 'Trout is good.'),
    row(3, 'What is a good name for a cat?', 'Call it Bo!'),
    row(4, 'Good morning', 'I am Bo, good morning.'),
  ];
  const all = () => true;

  it('come first where they share more, and rarer words', async () => {
    const found = await nearestRows(source(rows), 'r', 'Give me a good name for my cat', all);
    expect(found.map(({ number }) => number)).toEqual([3, 2, 1]);
  });

  it('are those whose answer can have caused it', async () => {
    const found = await nearestRows(source(rows), 'r', 'Give me a good name for my cat', (answer) => answer.includes('Bo'));
    expect(found.map(({ number }) => number)).toEqual([3, 1, 4]);
  });

  it('are none where nothing is shared or nothing can be looked for', async () => {
    expect(await nearestRows(source(rows), 'r', 'Explain gravity', all)).toEqual([]);
    const none = source(rows);
    expect(await nearestRows(none, 'r', '?!', all)).toEqual([]);
    expect(none.asked).toEqual([]);
  });
});
