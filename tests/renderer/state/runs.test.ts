import { expect, test } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { RunsState } from '../../../renderer/state/runs.svelte.ts';
import { runStatuses } from '../../../shared/run.ts';
import { FakeTransport, settle } from '../fake-transport.ts';

test('the run that goes on is found whatever others there are', async () => {
  const transport = new FakeTransport();
  const runs = new RunsState(new Api(transport));
  transport.connect('open');
  const list = (statuses: readonly string[]) => statuses.map((status, i) => ({ run: `${i}`, name: status, status }));
  expect(runs.active).toBeNull();
  transport.asked[0]?.answer(list(runStatuses));
  await settle();
  expect(runs.active?.status).toBe('preparing');
  void runs.load();
  transport.asked[0]?.answer(list(runStatuses.filter((status) => status !== 'preparing')));
  await settle();
  expect(runs.active?.status).toBe('running');
  void runs.load();
  transport.asked[0]?.answer(list(['done', 'paused', 'interrupted']));
  await settle();
  expect(runs.active).toBeNull();
});
