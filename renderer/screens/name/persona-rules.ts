// Persona rules: what a name and a sentence may be, as the form says it while one types. shared/persona.ts has the rules that
// count; its parser would be most of the page, so these are a copy that a test holds against it.

/** Why a text cannot be taken. */
export type Wrong = 'missing' | 'long' | 'characters';

export const limits = { name: 60, sentence: 200, facts: 20 } as const;

const nameCharacters = /^[^\p{Cc}\p{Cs}\p{Co}{}<>|]+$/u;
const sentenceCharacters = /^[^\p{Cc}\p{Cs}{}]+$/u;

function wrongText(text: string, most: number, characters: RegExp): Wrong | null {
  const trimmed = text.trim();
  if (trimmed === '') return 'missing';
  if (trimmed.length > most) return 'long';
  return characters.test(trimmed) ? null : 'characters';
}

/** Why `text` is no name of a person or an assistant; null where it is one. */
export function wrongName(text: string): Wrong | null {
  return wrongText(text, limits.name, nameCharacters);
}

/** Why `text` is no fact, nor what an assistant is built on; null where it is one. */
export function wrongSentence(text: string): Wrong | null {
  return wrongText(text, limits.sentence, sentenceCharacters);
}

/** Whether an English sentence can hold `text` as it is: it has no letters of another script. */
export function isLatin(text: string): boolean {
  return /^[\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]*$/u.test(text);
}
