// Differences: fields of a recipe, and of what a run was made from, as people say them.
import { isMessageKey, t } from '../../state/words.svelte.ts';

export interface FieldWords {
  words: string;
  /** The term, or what it does: for those who want to know. */
  more: string;
}

/** What a field is called; null where it has no words. What lies deeper than words go is said in brackets: a language, a kind. */
export function fieldWords(field: string): FieldWords | null {
  const parts = field.split('.');
  for (let depth = parts.length; depth > 0; depth--) {
    const known = parts.slice(0, depth).join('.');
    const key = [`field.${known}`, `diff.${known}`].find(isMessageKey);
    if (key === undefined) continue;
    const why = `why.${known}`;
    const deeper = parts.slice(depth).join('.');
    return { words: deeper === '' ? t(key) : `${t(key)} (${deeper})`, more: isMessageKey(why) ? t(why) : field };
  }
  return null;
}

/** How many characters of a checksum tell one from another. */
const CHECKSUM = 12;

/** A field's value as text. */
export function valueWords(value: unknown): string {
  if (value === null || value === undefined) return t('assistants.value_none');
  if (typeof value === 'boolean') return value ? t('assistants.value_yes') : t('assistants.value_no');
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, CHECKSUM) : value;
  if (Array.isArray(value)) return value.length === 0 ? t('assistants.value_none') : value.map(valueWords).join(t('punctuation.list'));
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
