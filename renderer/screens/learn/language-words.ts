// Language in words: what a row's language is called in the page's language.
import { locale, t } from '../../state/words.svelte.ts';

/** "Chinese", "法语"; what is no language tag stays as it is. */
export function languageInWords(lang: string): string {
  if (lang === 'und' || lang === '') return t('learn.language_none');
  try {
    return new Intl.DisplayNames([locale()], { type: 'language' }).of(lang) ?? lang;
  } catch {
    return lang;
  }
}
