// Exports as windows see them: how far one is, what became of the last one, and none twice at once.
import { expect, it } from 'vitest';
import { ExportDesk } from '../../../main/api/export-desk.ts';
import type { ApiEvent } from '../../../shared/api.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { ExportProgress, ExportResult } from '../../../shared/export.ts';
import { listener, tinyApi } from '../../support/tiny-api.ts';

const result: ExportResult = { files: ['/e/a'], folder: '/e', bytes: 1, scores: null, count: null, base: { repository: null, folder: null, own_code: false }, download: null };
const asking: ExportProgress = { phase: 'asking', done: 1, total: 4 };

/** A desk, what it told, and work that the test ends. */
function begin() {
  const events: ApiEvent[] = [];
  const desk = new ExportDesk((event) => events.push(event));
  let progress: (progress: ExportProgress) => void = () => undefined;
  let end: (result: ExportResult) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  let begun = 0;
  const start = (): Promise<ExportResult> =>
    desk.export('r', (onProgress) => {
      begun++;
      progress = onProgress;
      return new Promise((resolve, reject) => ([end, fail] = [resolve, reject]));
    });
  return { desk, start, phases: () => events.map((event) => (event.event === 'export' ? (event.progress?.phase ?? null) : event.event)), progress: (one: ExportProgress) => progress(one), end: (one: ExportResult) => end(one), fail: (error: Error) => fail(error), begun: () => begun };
}

it('an export is told while it goes on and known when it is over; a second window joins in', async () => {
  const { desk, start, phases, progress, end, begun } = begin();
  expect(desk.state('r')).toEqual({ progress: null, last: null });
  const [first, second] = [start(), start()];
  expect(begun()).toBe(1);
  expect(desk.state('r').progress?.phase).toBe('waiting');
  progress(asking);
  expect(desk.state('r')).toEqual({ progress: asking, last: null });
  end(result);
  expect([await first, await second]).toEqual([result, result]);
  expect(desk.state('r')).toEqual({ progress: null, last: result });
  expect(desk.state('other')).toEqual({ progress: null, last: null });
  expect(phases()).toEqual(['waiting', 'asking', null]);
});

it('one that fails is over, and leaves the one before as the last', async () => {
  const { desk, start, phases, end, fail, begun } = begin();
  const first = start();
  end(result);
  await first;
  const second = start();
  fail(new NamesakeError('disk.full', 'x'));
  await expect(second).rejects.toThrow('disk.full');
  expect(desk.state('r')).toEqual({ progress: null, last: result });
  expect([begun(), phases()]).toEqual([2, ['waiting', null, 'waiting', null]]);
});

it('of a run that is not there is refused before any window hears of it', async () => {
  const tiny = tinyApi();
  const window = listener(tiny.api);
  for (let i = 0; i < 3; i++) expect(await tiny.refused('export.adapter', { run: `none-${i}` })).toBe('run.unknown');
  expect(await tiny.refused('export.state', { run: 'none-0' })).toBe('run.unknown');
  await tiny.ask('settings.set', {});
  await expect.poll(() => window.events.some(({ event }) => event === 'settings')).toBe(true);
  expect(window.events.filter(({ event }) => event === 'export')).toEqual([]);
});
