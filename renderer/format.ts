// Format: numbers, sizes and times as people say them, in the page's language.
import { locale, t } from './state/words.svelte.ts';

/** Seconds as "45 s", "3 min 20 s" or "2 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return t('duration.seconds', { seconds: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t('duration.minutes', { minutes, seconds: whole % 60 });
  return t('duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** A share of 0 to 1 as "97.5%" or "100%". */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share === 1 || share === 0 ? 0 : 1)}%`;
}

/** Bytes as "98 MB" or "1.2 GB"; what is there takes at least 1 MB. */
export function bytes(count: number): string {
  return count < 1e9 ? `${Math.max(1, Math.round(count / 1e6))} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** A count with its thousands apart: "1,310". */
export function count(value: number): string {
  return Math.round(value).toLocaleString(locale());
}

/** A stored time in the person's own time zone, as short as it can be understood. */
export function when(iso: string): string {
  return new Date(iso).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'short' });
}

/** A stored time as the hour of the day, in the person's own time zone: "23:41". */
export function timeOfDay(iso: string): string {
  return new Date(iso).toLocaleTimeString(locale(), { timeStyle: 'short' });
}
