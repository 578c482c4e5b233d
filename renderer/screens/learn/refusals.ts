// Refusals: why a line of a file was left out, in plain words. The core's own reason is kept for who wants to know exactly.
import { t, type MessageKey } from '../../state/words.svelte.ts';

const known: readonly [RegExp, MessageKey][] = [
  [/^no message of the assistant/, 'learn.refused_no_answer'],
  [/^it is not a JSON object/, 'learn.refused_no_object'],
  [/^a message of \d+ characters/, 'learn.refused_too_long'],
  [/^more than \d+ rows/, 'learn.refused_too_many'],
  [/^a system message that is not the first|^a later turn has another system/, 'learn.refused_system'],
  [/^nested more than|JSON/, 'learn.refused_no_json'],
];

/** The reason in the page's language; a line in no form that is known where nothing more can be said. */
export function refusalInWords(reason: string): string {
  return t(known.find(([pattern]) => pattern.test(reason))?.[1] ?? 'learn.refused_form');
}
