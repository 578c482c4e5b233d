// translate: the one way from a key to words, for the renderer, the CLI and errors alike.
import { IntlMessageFormat } from 'intl-messageformat';
import type { Language } from '../persona.ts';
import type { NamesakeError } from '../errors.ts';
import { en } from './en.ts';
import { zh } from './zh.ts';

export type MessageKey = keyof typeof en;
/** Whether there are words under a key that was put together. */
export function isMessageKey(key: string): key is MessageKey {
  return Object.hasOwn(en, key);
}

const catalogues: Record<Language, Record<MessageKey, string>> = { en, zh };

/** Messages as they were parsed: a page says the same ones ten times a second. */
const parsed: Record<Language, Map<MessageKey, IntlMessageFormat>> = { en: new Map(), zh: new Map() };

function messageOf(language: Language, key: MessageKey): IntlMessageFormat {
  const known = parsed[language].get(key);
  if (known !== undefined) return known;
  const message = new IntlMessageFormat(catalogues[language][key], language);
  parsed[language].set(key, message);
  return message;
}

/** The words of `key` in `language`; `values` fill its placeholders. */
export function translate(language: Language, key: MessageKey, values: Record<string, string | number> = {}): string {
  return String(messageOf(language, key).format(values));
}

/** What happened, why, and what to do next, in the person's language. */
export function explainError(language: Language, error: NamesakeError): string {
  return translate(language, `error.${error.code}`, { detail: error.detail, ...error.params });
}
