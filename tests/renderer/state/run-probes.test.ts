// Questions and answers of a run's checks, as screens want them.
import { expect, test } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { MOST_STEPS, RunProbes } from '../../../renderer/state/run-probes.svelte.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { ScoredProbe } from '../../../shared/run.ts';
import { FakeTransport, settle } from '../fake-transport.ts';

const probe = (answer: string): ScoredProbe => ({ lang: 'en', kind: 'identity', question: 'Who are you?', answer, hit: true });
const scores = { retention: { kl: 0, perplexity_ratio: 1 } };

function begin(): { transport: FakeTransport; probes: RunProbes } {
  const transport = new FakeTransport();
  return { transport, probes: new RunProbes(new Api(transport), 'r') };
}

test('a step is read once, however often it is wanted', async () => {
  const { transport, probes } = begin();
  probes.want([0, 10]);
  probes.want([10]);
  expect(transport.asked.map(({ input }) => input)).toEqual([{ run: 'r', step: 0 }, { run: 'r', step: 10 }]);
  expect(probes.at(10)).toBeNull();
  transport.asked[1]?.answer([probe('I am Bo.')]);
  await settle();
  expect(probes.at(10)?.[0]?.answer).toBe('I am Bo.');
  expect(probes.at(0)).toBeNull();
});

test('a run that went back and is asked again at a step is read again', async () => {
  const { transport, probes } = begin();
  probes.want([10]);
  transport.asked[0]?.answer([probe('old')]);
  await settle();
  transport.tell({ event: 'probe', run: 'other', step: 10, scores }, { event: 'probe', run: 'r', step: 20, scores });
  expect(transport.asked).toHaveLength(0);
  transport.tell({ event: 'probe', run: 'r', step: 10, scores });
  transport.asked[0]?.answer([probe('new')]);
  await settle();
  expect(probes.at(10)?.[0]?.answer).toBe('new');
});

test('what could not be had is asked for again when it is wanted again', async () => {
  const { transport, probes } = begin();
  probes.want([10]);
  transport.asked[0]?.refuse(new NamesakeError('internal', 'x'));
  await settle();
  expect(probes.at(10)).toBeNull();
  probes.want([10]);
  expect(transport.asked).toHaveLength(1);
});

test('what is closed hears nothing more', async () => {
  const { transport, probes } = begin();
  probes.want([10]);
  transport.asked[0]?.answer([probe('old')]);
  await settle();
  probes.close();
  transport.tell({ event: 'probe', run: 'r', step: 10, scores }, { event: 'lost' });
  expect(transport.asked).toHaveLength(0);
});

test('a long run is checked often: what nobody has wanted for long is forgotten, and read again when it is wanted', async () => {
  const { transport, probes } = begin();
  for (let step = 0; step <= MOST_STEPS; step++) {
    probes.want([0, step]);
    for (const asked of [...transport.asked]) asked.answer([probe(String(step))]);
    await settle();
  }
  probes.want([MOST_STEPS + 1]);
  transport.asked[0]?.answer([probe('last')]);
  await settle();
  expect([probes.at(0) === null, probes.at(1), probes.at(2)]).toEqual([false, null, null]);
  expect(probes.at(3)).not.toBeNull();
  probes.want([1]);
  expect(transport.asked.map(({ input }) => input)).toEqual([{ run: 'r', step: 1 }]);
});
