// Edited row: a row that a person wrote or changed by hand, checked before it is taken.
import { NamesakeError } from '../../shared/errors.ts';
import type { Message, Row, RowOrigin } from '../../shared/row.ts';
import { lengthFault, messagesFault } from '../pipeline/import-rows.ts';
import { checkRow } from '../pipeline/persona-to-rows.ts';

/** What others wrote into a message is not kept, and flags that say nothing are left out. */
function plainMessage({ role, content, loss, cut }: Message): Message {
  return {
    role,
    content: content.toWellFormed(),
    ...(loss === undefined ? {} : { loss }),
    ...(cut === true && role === 'assistant' ? { cut } : {}),
  };
}

/** A question alone, with or without a system text: the base model answers it. */
function isQuestion(messages: readonly Message[]): boolean {
  const turns = messages.filter(({ role }) => role !== 'system');
  return turns.length === 1 && turns[0]?.role === 'user' && turns[0].content.trim() !== '';
}

function originOf(row: Row, present: Row | null): RowOrigin {
  if (isQuestion(row.messages)) return 'base';
  if (present !== null && JSON.stringify(present.messages) === JSON.stringify(row.messages)) return present.origin;
  return present?.origin === 'file' ? 'file' : 'written';
}

/**
 * A row as a person wrote it, in place of `present` (null = a new one). Its origin follows from that: words by hand are
 * `written`, a file's stay a file's, and a question without an answer is the base model's to answer. Throws rows.invalid, or
 * rows.placeholder where a wizard's placeholder survived; `number` names the row.
 */
export function checkEdited(row: Row, present: Row | null, number: number, mostCharacters: number): Row {
  const messages = row.messages.map(plainMessage);
  const edited: Row = { id: row.id, kind: row.kind, lang: row.lang, messages, origin: 'written' };
  edited.origin = originOf(edited, present);
  const fault = lengthFault(messages, mostCharacters) ?? messagesFault(messages, edited.origin !== 'base');
  if (fault !== null) throw new NamesakeError('rows.invalid', fault, { row: number });
  return edited.origin === 'file' ? edited : checkRow(edited);
}
