// Two runs side by side: their curves under names of their own, and their differences in words.
import { expect, it, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { fieldWords, valueWords } from '../../../../renderer/screens/assistants/differences.ts';
import { curvesOf, TwoRuns } from '../../../../renderer/screens/assistants/two-runs.svelte.ts';
import { speak } from '../../../../renderer/state/words.svelte.ts';
import type { RunDetails } from '../../../../shared/api.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

vi.stubGlobal('document', { documentElement: { lang: '' }, addEventListener: () => undefined });

const run = (id: string, name: string): RunDetails => ({ run: id, name, created_at: id, metrics: [{ step: 1, loss: 2, grad_norm: 1, lr: 1, tokens: 1, tokens_per_second: 1 }] }) as unknown as RunDetails;

it('reads both and how they differ; what cannot be had is said and asked for again', async () => {
  const transport = new FakeTransport();
  const two = new TwoRuns(new Api(transport), 'a', 'b');
  expect(transport.asked.map(({ name, input }) => [name, input])).toEqual([
    ['runs.get', { run: 'a' }],
    ['runs.get', { run: 'b' }],
    ['runs.diff', { a: 'a', b: 'b' }],
  ]);
  transport.asked[1]?.refuse(new NamesakeError('run.unknown', 'b', { run: 'b' }));
  await settle();
  expect(two.error?.code).toBe('run.unknown');
  for (const asked of [...transport.asked]) asked.answer(null);
  void two.load();
  for (const result of [run('a', 'A'), run('b', 'B'), [{ field: 'name', a: 'A', b: 'B' }, { field: 'seed', a: 1, b: 2 }]]) transport.asked[0]?.answer(result);
  await settle();
  expect(two.error).toBeNull();
  expect(two.shown?.differences).toEqual([{ field: 'seed', a: 1, b: 2 }]);
  expect([two.shown?.a.run, two.shown?.b.run]).toEqual(['a', 'b']);
});

it('tells two of the same name apart', () => {
  const names = (a: string, b: string): string[] => curvesOf({ a: run('1', a), b: run('2', b) }, ({ created_at }) => created_at).map(({ name }) => name);
  expect(names('A', 'B')).toEqual(['A', 'B']);
  expect(names('A', 'A')).toEqual(['A (1)', 'A (2)']);
});

it('says fields and values in words, and a field without words by its own name', () => {
  speak('en');
  expect(fieldWords('optim.lr')).toMatchObject({ words: 'How strongly it learns', more: expect.stringContaining('Learning rate') as unknown });
  expect(fieldWords('data.persona.owner')).toEqual({ words: 'Whose assistant it is', more: 'data.persona.owner' });
  expect(fieldWords('data.mix.languages.zh')?.words).toBe('Everyday conversations by language (zh)');
  expect(fieldWords('no.such.field')).toBeNull();
  expect([null, true, false, [], ['zh', 'en'], [null, 'Be brief'], 0.001, 'x', 'ab'.repeat(32), { zh: 2 }].map(valueWords)).toEqual([
    'none', 'yes', 'no', 'none', 'zh; en', 'none; Be brief', '0.001', 'x', 'abababababab', '{"zh":2}',
  ]); // prettier-ignore
  speak('zh');
  expect([fieldWords('data.persona.name')?.words, valueWords(true)]).toEqual(['助手的名字', '是']);
});
