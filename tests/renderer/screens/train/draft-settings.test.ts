// The settings of a draft: typed, stored one after the other, mended where they are wrong, and started.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { DraftSettings, questionLines, type DraftApp } from '../../../../renderer/screens/train/draft-settings.svelte.ts';
import { Notices } from '../../../../renderer/state/notices.svelte.ts';
import { hashOf } from '../../../../renderer/state/route.svelte.ts';
import type { Draft } from '../../../../shared/draft.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { Recipe } from '../../../../shared/recipe.ts';
import { FakeTransport, settle, type Asked } from '../../fake-transport.ts';
import { details } from './details.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const id = '0123456789abcdef';
const draft = (recipe: Recipe = details().recipe): Draft => ({ draft: id, recipe, rows: 9, by_kind: { identity: 9, negative: 0, near_miss: 0, ordinary: 0, imported: 0 }, undoable: false });

async function opened() {
  const transport = new FakeTransport();
  const gone: string[] = [];
  const notices = new Notices((error) => error.code);
  const route = { go: (place: Parameters<typeof hashOf>[0]) => void gone.push(hashOf(place)) } as DraftApp['route'];
  const settings = new DraftSettings({ api: new Api(transport), notices, route }, id);
  const take = (name: string): Asked => {
    const found = transport.asked.find((asked) => asked.name === name);
    if (found === undefined) throw new Error(`${name} was not asked`);
    return found;
  };
  take('drafts.get').answer(draft());
  take('drafts.questions').answer(null);
  await settle();
  return { transport, settings, notices, route, gone, take };
}

test('a change is stored as the whole recipe with that one value', async () => {
  const { settings, take } = await opened();
  void settings.change('optim.lr', '0.002');
  await settle();
  const { recipe } = take('drafts.change').input as { recipe: Recipe };
  expect(recipe).toEqual({ ...details().recipe, optim: { ...details().recipe.optim, lr: 0.002 } });
  take('drafts.change').answer(draft(recipe));
  await settle();
  expect(settings.draft?.recipe.optim.lr).toBe(0.002);
  expect(settings.sound).toBe(true);
});

test('two changes at once are stored one after the other: none takes the other back', async () => {
  const { settings, transport, take } = await opened();
  void settings.change('steps', '100');
  void settings.change('seed', '7');
  await settle();
  expect(transport.asked.filter(({ name }) => name === 'drafts.change')).toHaveLength(1);
  take('drafts.change').answer(draft((take('drafts.change').input as { recipe: Recipe }).recipe));
  await settle();
  expect((take('drafts.change').input as { recipe: Recipe }).recipe).toMatchObject({ steps: 100, seed: 7 });
});

test('what cannot be used is said at its field, keeps the run from starting, and is not sent', async () => {
  const { settings, transport } = await opened();
  await settings.change('steps', 'many');
  await settings.change('batch_tokens', '8');
  expect(settings.wrong('steps')).toBe('Type a number.');
  expect(settings.wrong('batch_tokens')).toContain('512');
  expect(settings.sound).toBe(false);
  await settings.start();
  expect(transport.asked.filter(({ name }) => name === 'drafts.change' || name === 'runs.start')).toEqual([]);
  void settings.change('steps', '50');
  await settle();
  transport.asked.find(({ name }) => name === 'drafts.change')?.answer(draft());
  await settle();
  expect(settings.wrong('steps')).toBeNull();
});

test('what the program refuses is said at its field; what lies elsewhere, over the page', async () => {
  const { settings, notices, take } = await opened();
  void settings.change('optim.betas', '[0.9]');
  await settle();
  take('drafts.change').refuse(new NamesakeError('request.invalid', 'recipe.optim.betas: too small'));
  await settle();
  expect(settings.wrong('optim.betas')).toContain('too small');
  void settings.change('seed', '8');
  await settle();
  take('drafts.change').refuse(new NamesakeError('disk.full', 'x'));
  await settle();
  expect(settings.wrong('seed')).toBeNull();
  expect(notices.list.map(({ words }) => words())).toEqual(['disk.full']);
});

test('memory is planned at once, then only when nothing has changed for a while; an old answer is dropped', async () => {
  const { settings, transport, take } = await opened();
  await vi.advanceTimersByTimeAsync(1);
  const old = take('models.memory');
  for (const seed of ['1', '2']) {
    void settings.change('seed', seed);
    await settle();
    take('drafts.change').answer(draft());
    await settle();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(transport.asked.filter(({ name }) => name === 'models.memory')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1000);
  const questions = transport.asked.filter(({ name }) => name === 'models.memory');
  expect(questions).toHaveLength(2);
  questions[1]?.answer({ total: 2, available: 3, fits: true });
  old.answer({ total: 1, available: 3, fits: true });
  await settle();
  expect(settings.memory?.total).toBe(2);
});

test('starting waits for what is being stored, then watches the run', async () => {
  const { settings, transport, gone, take } = await opened();
  void settings.change('seed', '3');
  void settings.start();
  await settle();
  expect(settings.starting).toBe(true);
  expect(transport.asked.some(({ name }) => name === 'runs.start')).toBe(false);
  take('drafts.change').answer(draft());
  await settle();
  take('runs.start').answer({ run: 'r' });
  await settle();
  expect(gone).toEqual(['#run/r/train']);
  expect(settings.starting).toBe(false);
});

test('a start leads nobody away who has gone elsewhere meanwhile', async () => {
  const { settings, route, gone, take } = await opened();
  void settings.start();
  await settle();
  Object.assign(route, { place: { screen: 'settings', subject: null } });
  take('runs.start').answer({ run: 'r' });
  await settle();
  expect([gone, settings.starting]).toEqual([[], false]);
});

test('a start that is refused is told, and can be tried again', async () => {
  const { settings, notices, gone, take } = await opened();
  void settings.start();
  await settle();
  take('runs.start').refuse(new NamesakeError('engine.busy', 'x'));
  await settle();
  expect(notices.list.map(({ words }) => words())).toEqual(['engine.busy']);
  expect([gone, settings.starting]).toEqual([[], false]);
});

test('own questions are one a line, each once; too many or too long ones are not sent', async () => {
  const { settings, transport, take } = await opened();
  expect(questionLines(' a \n\n b\na\r\n')).toEqual(['a', 'b']);
  void settings.ask('identity', 'Who?\n你是谁？\n');
  await settle();
  expect(take('drafts.set_questions').input).toEqual({ draft: id, questions: { identity: ['Who?', '你是谁？'], ordinary: [] } });
  take('drafts.set_questions').answer(draft());
  await settle();
  expect(settings.questions?.identity).toEqual(['Who?', '你是谁？']);
  await settings.ask('ordinary', 'x'.repeat(501));
  expect(settings.wrong('questions')).toContain('500');
  expect(transport.asked.some(({ name }) => name === 'drafts.set_questions')).toBe(false);
});

test('a draft that is gone is said', async () => {
  const transport = new FakeTransport();
  const settings = new DraftSettings({ api: new Api(transport), notices: new Notices((error) => error.code), route: {} as DraftApp['route'] }, id);
  transport.asked[0]?.refuse(new NamesakeError('draft.unknown', id));
  await settle();
  expect(settings.error?.code).toBe('draft.unknown');
  expect(settings.draft).toBeNull();
});

test('a draft, or its memory, that was asked for while there was no connection comes when there is one', async () => {
  const transport = new FakeTransport();
  const settings = new DraftSettings({ api: new Api(transport), notices: new Notices((error) => error.code), route: {} as DraftApp['route'] }, id);
  transport.connect('open');
  for (const asked of [...transport.asked]) asked.breakOff();
  await settle();
  transport.connect('lost');
  transport.connect('open');
  transport.asked.find(({ name }) => name === 'drafts.get')?.answer(draft());
  transport.asked.find(({ name }) => name === 'drafts.questions')?.answer(null);
  await settle();
  expect([settings.draft?.draft, settings.error]).toEqual([draft().draft, null]);
  settings.close();
  transport.asked.splice(0);
  transport.tell({ event: 'lost' });
  expect(transport.asked).toEqual([]);
});
