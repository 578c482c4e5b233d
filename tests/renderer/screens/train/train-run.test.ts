// A run as its screen watches it: what is asked of it, and where the screen goes when it is done.
import { expect, test } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { TrainRun, type TrainApp } from '../../../../renderer/screens/train/train-run.svelte.ts';
import { Notices } from '../../../../renderer/state/notices.svelte.ts';
import { hashOf } from '../../../../renderer/state/route.svelte.ts';
import type { ApiEvent } from '../../../../shared/api.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { RunStatus } from '../../../../shared/run.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';
import { details } from './details.ts';

async function watched(status: RunStatus) {
  const transport = new FakeTransport();
  const gone: [string, boolean][] = [];
  const notices = new Notices((error) => error.code);
  const route = { go: (place: Parameters<typeof hashOf>[0], { replace = false } = {}) => void gone.push([hashOf(place), replace]) } as TrainApp['route'];
  const train = new TrainRun({ api: new Api(transport), notices, route }, 'a');
  transport.connect('open');
  transport.asked[0]?.answer(details({ status }));
  await settle();
  train.see(status, 'A');
  return { transport, train, gone, notices };
}

function told(status: RunStatus): ApiEvent {
  const { run, name, step, steps, created_at, error, chosen_step } = details();
  return { event: 'run', run, name, status, step, steps, created_at, error, chosen_step, progress: null };
}

test('a run that becomes done while it is watched leads on to the comparison, in place of this screen, once', async () => {
  const { transport, train, gone, notices } = await watched('running');
  transport.tell(told('done'));
  train.see('done', 'A');
  expect(gone).toEqual([['#run/a/compare', true]]);
  expect(notices.list.map(({ words }) => words())).toEqual(['“A” is ready']);
  train.close();
});

test('one that is done already is looked at; one that stops or pauses stays here', async () => {
  const done = await watched('done');
  done.transport.tell(told('done'));
  expect(done.gone).toEqual([]);
  for (const status of ['paused', 'stopped', 'failed', 'cancelled', 'interrupted'] as const) {
    const other = await watched('running');
    other.transport.tell(told(status));
    expect(other.gone).toEqual([]);
  }
});

test('another run that becomes done changes nothing here', async () => {
  const { transport, gone } = await watched('running');
  transport.tell({ ...told('done'), run: 'b' } as ApiEvent);
  expect(gone).toEqual([]);
});

test('what was asked of it is said until it has happened', async () => {
  const { transport, train } = await watched('running');
  void train.ask('pause');
  expect(train.wish).toBe('pause');
  expect(transport.asked.map(({ name, input }) => [name, input])).toEqual([['runs.pause', { run: 'a' }]]);
  transport.asked[0]?.answer(null);
  await settle();
  transport.tell(told('running'));
  expect(train.wish).toBe('pause');
  transport.tell(told('paused'));
  expect(train.wish).toBeNull();

  void train.ask('resume');
  transport.tell(told('paused'));
  expect(train.wish).toBe('resume');
  transport.tell(told('preparing'));
  expect(train.wish).toBeNull();
  transport.tell(told('paused'));
  expect(train.wish).toBeNull();
});

test('it can be asked to go on on another device', async () => {
  const { transport, train } = await watched('failed');
  void train.resumeOn('cpu');
  expect(train.wish).toBe('resume');
  expect(transport.asked[0]).toMatchObject({ name: 'runs.resume', input: { run: 'a', device: 'cpu' } });
});

test('what cannot be done is told, and can be asked again', async () => {
  const { transport, train, notices } = await watched('running');
  void train.ask('stop');
  transport.asked[0]?.refuse(new NamesakeError('run.not_active', 'a', { run: 'a' }));
  await settle();
  expect(train.wish).toBeNull();
  expect(notices.list.map(({ words }) => words())).toEqual(['run.not_active']);
});

test('other settings are a draft of the run, and its settings are shown', async () => {
  const { transport, train, gone } = await watched('failed');
  void train.again();
  expect(transport.asked[0]?.name).toBe('drafts.from_run');
  transport.asked[0]?.answer({ draft: '0123456789abcdef' });
  await settle();
  expect(gone).toEqual([['#draft/0123456789abcdef/train', false]]);
});
