// Words: the page's language. Whatever calls `t` in a component says it anew when the language changes.
import { NamesakeError, type ErrorCode } from '../../shared/errors.ts';
import { explainError, isMessageKey, translate, type MessageKey } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';

export { isMessageKey, type MessageKey };

const state = $state<{ language: Language }>({ language: 'en' });

/** The page's language; reactive. */
export function currentLanguage(): Language {
  return state.language;
}

/** The page's language as browsers name it: what `lang` and Intl take. */
export function locale(language: Language = state.language): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

/** The page speaks `chosen` from now on. */
export function speak(chosen: Language): void {
  state.language = chosen;
  document.documentElement.lang = locale(chosen);
}

/** The words of a key in the page's language. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return translate(state.language, key, values);
}

/** What went wrong and what to do, in the page's language. */
export function explain(error: NamesakeError): string {
  return explainError(state.language, error);
}

/** A stored error, whose values for its wording are not stored: its detail where the wording needs them. */
export function explainStored(code: ErrorCode, detail: string): string {
  try {
    return explain(new NamesakeError(code, detail));
  } catch {
    return `${t('badge.failed')}: ${detail}`;
  }
}
