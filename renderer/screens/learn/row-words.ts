// Row words: what is shown of a row's messages, and a row with others in their place.
import type { Message, Row, RowKind } from '../../../shared/row.ts';

/** What can be typed of a message. */
export interface Words {
  role: 'user' | 'assistant';
  content: string;
}

/** The kinds in the order in which they are told. (shared/row.ts has a parser beside its list, which the page needs none of.) */
const everyKind: Readonly<Record<RowKind, true>> = { identity: true, negative: true, near_miss: true, ordinary: true, imported: true };
export const kinds = Object.keys(everyKind) as RowKind[];

/** The last question, its answer (null where the base has yet to give it), and how many turns were before. */
export function lastTurn({ messages }: Row): { question: string; answer: string | null; before: number } {
  const answered = messages.at(-1)?.role === 'assistant';
  const question = messages.findLast(({ role }) => role === 'user');
  return {
    question: question?.content ?? '',
    answer: answered ? (messages.at(-1)?.content ?? '') : null,
    before: Math.max(0, messages.filter(({ role }) => role === 'user').length - 1),
  };
}

/** What can be typed of a row: all its messages but the system text, and an empty answer where it has none. */
export function wordsOf({ messages }: Row): Words[] {
  const words = messages.flatMap(({ role, content }): Words[] => (role === 'system' ? [] : [{ role, content }]));
  return words.at(-1)?.role === 'user' ? [...words, { role: 'assistant', content: '' }] : words;
}

/**
 * A row with other words; its system text stays. A last answer that is empty is left to the base model. An answer that was cut
 * is whole once it is another one.
 */
export function withWords(row: Row, words: readonly Words[], kind: RowKind, lang: string): Row {
  const system = row.messages.filter(({ role }) => role === 'system');
  const spoken = row.messages.filter(({ role }) => role !== 'system');
  const kept = words.at(-1)?.role === 'assistant' && words.at(-1)?.content.trim() === '' ? words.slice(0, -1) : words;
  const messages = kept.map(({ role, content }, i): Message => {
    const before = spoken[i];
    return before?.role === role && before.content === content ? before : { role, content, ...(before?.loss === false && { loss: false }) };
  });
  return { ...row, kind, lang, messages: [...system, ...messages] };
}

/** Whether words can be a row: every message says something, but for the last answer. */
export function canBeRow(words: readonly Words[]): boolean {
  return words.length > 0 && words.every(({ role, content }, i) => content.trim() !== '' || (role === 'assistant' && i === words.length - 1));
}
