// One run for a screen: what is shown of it while its state cannot be had.
import { expect, test } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { WatchedRunState } from '../../../renderer/state/watched-run.svelte.ts';
import { NamesakeError, type ErrorCode } from '../../../shared/errors.ts';
import { FakeTransport, settle } from '../fake-transport.ts';
import { details } from '../screens/train/details.ts';

async function failed(code: ErrorCode) {
  const transport = new FakeTransport();
  const watched = new WatchedRunState(new Api(transport), 'a');
  transport.connect('open');
  transport.asked[0]?.answer(details({ status: 'stopped' }));
  await settle();
  transport.tell({ event: 'lost' });
  transport.asked[0]?.refuse(new NamesakeError(code, 'a', { run: 'a' }));
  await settle();
  return { transport, watched };
}

test('an error that passes leaves the run as it was known, and reading it again takes the error away', async () => {
  const { transport, watched } = await failed('internal');
  expect([watched.run?.status, watched.error?.code, watched.gone]).toEqual(['stopped', 'internal', false]);
  watched.retry?.();
  expect(transport.asked.map(({ name, input }) => [name, input])).toEqual([['runs.get', { run: 'a' }]]);
  transport.asked[0]?.answer(details({ status: 'done' }));
  await settle();
  expect([watched.run?.status, watched.error]).toEqual(['done', null]);
  watched.close();
});

test('a run that is no longer there is gone, and not asked for again', async () => {
  const { watched } = await failed('run.unknown');
  expect([watched.gone, watched.retry]).toEqual([true, undefined]);
  watched.close();
});
