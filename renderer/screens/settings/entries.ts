// Entries: what a person may type in the settings, and the order of sources as they change it.
import type { Settings } from '../../../shared/settings.ts';

export type Source = Settings['sources'][number];

const everySource: Readonly<Record<Source, true>> = { huggingface: true, 'hf-mirror': true, modelscope: true };
export const allSources = Object.keys(everySource) as Source[];

/** A source in the list: those that are asked come first, in their order. */
export interface ListedSource {
  source: Source;
  asked: boolean;
}

export function listedSources(asked: readonly Source[]): ListedSource[] {
  const others = allSources.filter((source) => !asked.includes(source));
  return [...asked.map((source) => ({ source, asked: true })), ...others.map((source) => ({ source, asked: false }))];
}

/** The sources with one moved by a place up (-1) or down (1); the same where it cannot go there. */
export function moved(asked: readonly Source[], source: Source, by: -1 | 1): Source[] {
  const at = asked.indexOf(source);
  const to = at + by;
  const list = [...asked];
  if (at < 0 || to < 0 || to >= list.length) return list;
  list.splice(at, 1);
  list.splice(to, 0, source);
  return list;
}

/** The sources with one asked, as the last, or no longer; the last one of all stays. */
export function turned(asked: readonly Source[], source: Source, on: boolean): Source[] {
  if (on) return asked.includes(source) ? [...asked] : [...asked, source];
  return asked.length > 1 ? asked.filter((one) => one !== source) : [...asked];
}

export type Entry<Value> = { value: Value; wrong: null } | { value: null; wrong: 'settings.endpoint_wrong' | 'settings.threads_wrong' | 'settings.token_wrong' };

/** An address of a mirror, without the slash at its end; '' = none. */
export function endpointEntry(text: string): Entry<string | null> {
  const trimmed = text.trim();
  if (trimmed === '') return { value: null, wrong: null };
  const url = URL.canParse(trimmed) ? new URL(trimmed) : null;
  const fine = url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '' && url.search === '' && url.hash === '' && url.username === '' && trimmed.length <= 500;
  return fine ? { value: trimmed.replace(/\/+$/, ''), wrong: null } : { value: null, wrong: 'settings.endpoint_wrong' };
}

/** A whole number of threads; '' and 0 = as many as are good. */
export function threadsEntry(text: string): Entry<number> {
  const trimmed = text.trim();
  if (trimmed === '') return { value: 0, wrong: null };
  const value = Number(trimmed);
  return /^\d+$/.test(trimmed) && value <= 1024 ? { value, wrong: null } : { value: null, wrong: 'settings.threads_wrong' };
}

/** A token as hubs write them: visible signs without a space. */
export function tokenEntry(text: string): Entry<string> {
  const trimmed = text.trim();
  return /^[\x21-\x7e]{1,500}$/.test(trimmed) ? { value: trimmed, wrong: null } : { value: null, wrong: 'settings.token_wrong' };
}
