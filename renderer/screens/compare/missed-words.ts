// Missed words: what a checkpoint misses, as a person says it.
import type { Language } from '../../../shared/persona.ts';
import { t } from '../../state/words.svelte.ts';

/** Limits that were missed ("zh.leak") in the page's words. */
export function missedWords(missed: readonly string[]): string {
  return missed
    .map((limit) => {
      const [language, what] = limit.split('.') as [Language, 'recall' | 'leak'];
      return t(`missed.${what}`, { language: t(`language.${language}`) });
    })
    .join(t('punctuation.list'));
}
