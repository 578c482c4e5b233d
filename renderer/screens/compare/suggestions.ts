// Suggestions: questions to begin with, in the languages that the assistant was made for. They are everyday ones, written for
// this screen: neither what it learnt from nor what it was checked with.
import { translate } from '../../../shared/i18n/translate.ts';
import type { Language } from '../../../shared/persona.ts';

export const suggestionKinds = ['identity', 'everyday', 'knowledge', 'lookalike'] as const;
export type SuggestionKind = (typeof suggestionKinds)[number];

export interface Suggestion {
  kind: SuggestionKind;
  language: Language;
  question: string;
}

/** All of one language's, or the tell-tale ones of each where there are several; the page's language comes first. */
export function suggestions(languages: readonly Language[], first: Language): Suggestion[] {
  const sorted = [...languages].sort((a, b) => Number(b === first) - Number(a === first));
  return sorted.flatMap((language, place) =>
    suggestionKinds
      .filter((kind) => place === 0 || kind === 'identity' || kind === 'lookalike')
      .map((kind) => ({ kind, language, question: translate(language, `compare.ask_${kind}`) })),
  );
}

/** The language that a text is written in, as browsers name it: answers come in whatever language the model takes. */
export function langOf(text: string): string {
  return /\p{Script=Han}/u.test(text) ? 'zh-CN' : 'en';
}
