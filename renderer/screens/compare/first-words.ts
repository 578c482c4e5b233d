// First words: what a conversation is called.
import type { ChatSummary } from '../../../shared/api.ts';

/** What fits a line of a question or a tooltip. */
const MOST_CHARACTERS = 60;

/** As many of a conversation's first words as name it, on one line. */
export function firstWords({ first }: Pick<ChatSummary, 'first'>): string {
  const line = [...first.trim().replaceAll(/\s+/g, ' ')];
  return line.length <= MOST_CHARACTERS ? line.join('') : `${line.slice(0, MOST_CHARACTERS - 1).join('').trimEnd()}…`;
}
