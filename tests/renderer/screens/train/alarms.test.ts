// Alarms: each speaks when it should, and only then.
import { describe, expect, test } from 'vitest';
import { alarmsOf, keyOf, type Alarm } from '../../../../renderer/screens/train/alarms.ts';
import { translate, type MessageKey } from '../../../../shared/i18n/translate.ts';
import { checkpoint, details, metrics } from './details.ts';

const kinds = (alarms: readonly Alarm[]): string[] => alarms.map(({ alarm }) => alarm);
const falling = Array.from({ length: 40 }, (_, i) => 4 * 0.93 ** i);

test('a run that learns has nothing to tell', () => {
  expect(alarmsOf(details({ metrics: metrics(...falling), checkpoints: [checkpoint(0, 0, 0), checkpoint(30, 0.9, 0.06)] }))).toEqual([]);
  expect(alarmsOf(details())).toEqual([]);
});

describe('the loss', () => {
  test('that is several times its least is told, with where the least was', () => {
    const [alarm] = alarmsOf(details({ metrics: metrics(...falling, ...Array<number>(20).fill(9)) }));
    expect(alarm).toMatchObject({ alarm: 'rose', step: 40 });
    expect(alarm?.alarm === 'rose' && alarm.times).toBeGreaterThanOrEqual(3);
  });

  test('with one high step among low ones is not', () => {
    expect(alarmsOf(details({ metrics: metrics(...falling, 1.2) }))).toEqual([]);
  });

  test('is nothing to go by in the first steps, nor of a run that no longer goes on', () => {
    expect(alarmsOf(details({ metrics: metrics(0.5, 4, 9, 9, 9) }))).toEqual([]);
    expect(alarmsOf(details({ status: 'paused', metrics: metrics(...falling, ...Array<number>(20).fill(9)) }))).toEqual([]);
  });

  test('that is no number is told whatever else is', () => {
    expect(alarmsOf(details({ status: 'failed', metrics: metrics(...falling, NaN, 1) }))).toEqual([{ alarm: 'broken', step: 41 }]);
  });

  test('that does not fall for a good part of the run is told, unless the assistant is right already', () => {
    const flat = metrics(...Array<number>(30).fill(3));
    expect(alarmsOf(details({ metrics: flat }))).toEqual([{ alarm: 'stuck', steps: 24 }]);
    expect(alarmsOf(details({ metrics: flat.slice(0, 20) }))).toEqual([]);
    expect(alarmsOf(details({ metrics: flat, checkpoints: [checkpoint(20, 1, 0)] }))).toEqual([]);
  });

  test('that falls slowly is not stuck', () => {
    expect(alarmsOf(details({ metrics: metrics(...Array.from({ length: 60 }, (_, i) => 3 * 0.99 ** i)) }))).toEqual([]);
  });
});

describe('the scores', () => {
  test('tell when it knows itself and says so everywhere', () => {
    expect(alarmsOf(details({ checkpoints: [checkpoint(0, 0, 0), checkpoint(30, 1, 0.4)] }))).toEqual([{ alarm: 'leaks', lang: 'en', share: 0.4 }]);
  });

  test('of the last check count: not an earlier one, not the base, not a leak that the next steps mend', () => {
    expect(alarmsOf(details({ checkpoints: [checkpoint(30, 1, 0.4), checkpoint(40, 1, 0.02)] }))).toEqual([]);
    expect(alarmsOf(details({ checkpoints: [checkpoint(0, 1, 0.4)] }))).toEqual([]);
    expect(alarmsOf(details({ checkpoints: [checkpoint(30, 1, 0.1)] }))).toEqual([]);
    // It does not know itself yet: first things first.
    expect(alarmsOf(details({ checkpoints: [checkpoint(30, 0.5, 0.4)] }))).toEqual([]);
  });
});

test('a disk that is nearly full is told first, while there is something to write', () => {
  const full = { free_disk_bytes: 5e8, metrics: metrics(...falling, ...Array<number>(20).fill(9)) };
  expect(kinds(alarmsOf(details(full)))).toEqual(['disk', 'rose']);
  expect(alarmsOf(details({ ...full, status: 'done' }))).toEqual([]);
});

test('all that the program warned of is told, each as an alarm of its own', () => {
  const warned = { event: 'warning', run: 'a' } as const;
  const alarms = alarmsOf(
    details({
      warnings: [
        { ...warned, warning: 'checkpoint_damaged', step: 30, from: 20 },
        { ...warned, warning: 'checkpoint_damaged', step: 20, from: 10 },
        { ...warned, warning: 'resumed_elsewhere', began: 'cpu avx2', now: 'cpu avx512' },
        { ...warned, warning: 'no_card', code: 'gpu.card_too_old', detail: 'GTX 1080, 6.1' },
      ],
    }),
  );
  expect(alarms).toEqual([
    { alarm: 'damaged', step: 30, from: 20 },
    { alarm: 'damaged', step: 20, from: 10 },
    { alarm: 'elsewhere', began: 'cpu avx2', now: 'cpu avx512' },
    { alarm: 'no_card', code: 'gpu.card_too_old', detail: 'GTX 1080, 6.1' },
  ]);
  expect(new Set(alarms.map(keyOf)).size).toBe(4);
});

test('every alarm says what to do, in both languages', () => {
  const every: Record<Alarm['alarm'], true> = { rose: true, broken: true, stuck: true, leaks: true, disk: true, elsewhere: true, no_card: true, damaged: true };
  for (const alarm of Object.keys(every)) {
    for (const language of ['zh', 'en'] as const) expect(translate(language, `alarm.${alarm}_do` as MessageKey).length).toBeGreaterThan(10);
  }
});
