// Words: the page's language, and numbers and errors as people say them.
import { NamesakeError, type ErrorCode } from '../shared/errors.ts';
import { explainError, translate, type MessageKey } from '../shared/i18n/translate.ts';
import type { Language } from '../shared/persona.ts';

let language: Language = 'en';

export function currentLanguage(): Language {
  return language;
}

/** The page speaks `chosen` from its next update on. */
export function speak(chosen: Language): void {
  language = chosen;
  document.documentElement.lang = chosen === 'zh' ? 'zh-CN' : 'en';
}

/** The words of a key in the page's language. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return translate(language, key, values);
}

/** What went wrong and what to do, in the page's language. */
export function explain(error: NamesakeError): string {
  return explainError(language, error);
}

/** A stored error, whose values for its wording are not stored: its detail where the wording needs them. */
export function explainStored(code: ErrorCode, detail: string): string {
  try {
    return explain(new NamesakeError(code, detail));
  } catch {
    return `${t('badge.failed')}: ${detail}`;
  }
}

/** Seconds as "45 s", "3 min 20 s" or "2 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return t('duration.seconds', { seconds: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t('duration.minutes', { minutes, seconds: whole % 60 });
  return t('duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** A share of 0 to 1 as "97.5 %" or "100 %". */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;
}

/** Bytes as "98 MB" or "1.2 GB"; what is there takes at least 1 MB. */
export function bytes(count: number): string {
  return count < 1e9 ? `${Math.max(1, Math.round(count / 1e6))} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** A stored time in the person's own time zone, as short as it can be understood. */
export function when(iso: string): string {
  return new Date(iso).toLocaleString(language === 'zh' ? 'zh-CN' : 'en', { dateStyle: 'short', timeStyle: 'short' });
}
