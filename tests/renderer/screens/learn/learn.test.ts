// What an assistant learns from, as it is changed: every change is in the home at once, what is in sight follows, and nothing that
// was typed is lost.
import { describe, expect, it } from 'vitest';
import { LearnState } from '../../../../renderer/screens/learn/learn.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { NumberedRow, RowsChange } from '../../../../shared/draft.ts';
import { recipeSchema, type Recipe } from '../../../../shared/recipe.ts';
import { settle } from '../../fake-transport.ts';
import { fakeRows, list, row, summaryOf, type FakeRows } from './fake-rows.ts';

const draft = '0123456789abcdef';
const recipe = recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } } });
const nothing: RowsChange = { added: 0, edited: 0, deleted: 0, rewritten: false };

interface Started extends FakeRows {
  learn: LearnState;
  told: string[];
  /** Notices that were closed, by their place in `told`. */
  closed: number[];
  failed: unknown[];
  /** Answers all that is read, as it is now. */
  read(rows: readonly NumberedRow[], undoable?: RowsChange | null, now?: Recipe): Promise<void>;
}

async function start(rows: readonly NumberedRow[], subject: { draft: string } | { run: string } = { draft }): Promise<Started> {
  const fake = fakeRows();
  const told: string[] = [];
  const failed: unknown[] = [];
  const closed: number[] = [];
  const notices = { tell: (words: () => string) => told.push(words()) - 1, fail: (error: unknown) => void failed.push(error), close: (id: number) => void closed.push(id) };
  const learn = new LearnState(fake.api, notices, subject);
  const read: Started['read'] = async (now, undoable = null, present = recipe) => {
    while (fake.count('drafts.get') > 0) fake.next('drafts.get').answer({ draft, recipe: present });
    while (fake.count('runs.get') > 0) fake.next('runs.get').answer({ recipe: present });
    while (fake.count('rows.summary') > 0) fake.next('rows.summary').answer(summaryOf(now, undoable));
    await settle();
    await fake.pages(now);
  };
  await read(rows);
  return { ...fake, learn, told, closed, failed, read };
}

describe('a row that is typed', () => {
  it('is saved where it stands, and shown as it is then', async () => {
    const { learn, next, read } = await start(list(3));
    await learn.editRow(1);
    const edit = learn.edit;
    expect(edit).toMatchObject({ number: 1, kind: 'identity', changed: false, ready: true });
    if (edit?.words[1] !== undefined) edit.words[1].content = 'new';
    expect(edit?.changed).toBe(true);
    const saving = learn.save();
    expect(edit?.saving).toBe(true);
    expect(next('rows.edit').input).toMatchObject({ draft, number: 1, row: { messages: [{ content: 'q1' }, { content: 'new' }] } });
    next('rows.edit').answer(null);
    expect(await saving).toBe(true);
    expect(learn.edit).toBeNull();
    const after = [row(0), row(1, { messages: [{ role: 'user', content: 'q1' }, { role: 'assistant', content: 'new' }] }), row(2)];
    await read(after, { ...nothing, edited: 1 });
    expect(learn.pages.at(1)?.row.messages[1]?.content).toBe('new');
    expect(learn.summary?.undoable?.edited).toBe(1);
  });

  it('stays as it was typed where it cannot be saved, also when the connection breaks', async () => {
    const { learn, next, failed } = await start(list(3));
    await learn.editRow(1);
    if (learn.edit?.words[1] !== undefined) learn.edit.words[1].content = 'new';
    const refused = learn.save();
    next('rows.edit').refuse(new NamesakeError('rows.placeholder', 'x', { row: 1 }));
    expect(await refused).toBe(false);
    const broken = learn.save();
    next('rows.edit').breakOff();
    expect(await broken).toBe(false);
    expect(learn.edit).toMatchObject({ number: 1, saving: false });
    expect(learn.edit?.words[1]?.content).toBe('new');
    expect(failed).toHaveLength(2);
  });

  it('is not saved empty, and left as it was on Escape', async () => {
    const { learn, count } = await start(list(3));
    await learn.editRow(1);
    if (learn.edit?.words[0] !== undefined) learn.edit.words[0].content = '  ';
    expect(await learn.save()).toBe(false);
    expect(count('rows.edit')).toBe(0);
    learn.leave();
    expect(learn.edit).toBeNull();
  });

  it('is saved before another one is typed; untouched it is just left', async () => {
    const { learn, next, count } = await start(list(3));
    await learn.editRow(1);
    await learn.editRow(2);
    expect([learn.edit?.number, count('rows.edit')]).toEqual([2, 0]);
    if (learn.edit?.words[1] !== undefined) learn.edit.words[1].content = 'new';
    const going = learn.editRow(0);
    next('rows.edit').answer(null);
    await going;
    expect(learn.edit?.number).toBe(0);
  });

  it('is added as one of the kind that is looked at, and gone to', async () => {
    const { learn, next, pages, told, read } = await start(list(3));
    learn.find({ kind: 'near_miss' });
    await pages([]);
    await learn.editNew();
    expect(learn.edit).toMatchObject({ number: null, kind: 'near_miss', lang: 'en', ready: false });
    learn.edit?.words.forEach((words) => (words.content = words.role));
    const saving = learn.save();
    expect(next('rows.add').input).toMatchObject({ draft, row: { kind: 'near_miss', messages: [{ role: 'user', content: 'user' }, { role: 'assistant', content: 'assistant' }] } });
    next('rows.add').answer({ number: 3 });
    await saving;
    expect(told).toHaveLength(1);
    await read([row(3, { kind: 'near_miss' })], { ...nothing, added: 1 });
    expect(learn.selection.current).toBe(3);
  });
});

describe('rows that are deleted', () => {
  it('are those that are chosen, and undo says what it brings back', async () => {
    const { learn, next, read, told, closed } = await start(list(5));
    await learn.selection.choose(1, 'alone');
    await learn.selection.choose(3, 'through');
    await learn.editRow(2);
    const deleting = learn.remove();
    expect(next('rows.delete').input).toEqual({ draft, numbers: [1, 2, 3] });
    next('rows.delete').answer(null);
    await deleting;
    await read([row(0), row(4)], { ...nothing, deleted: 3 });
    expect([learn.selection.numbers.size, learn.edit, learn.pages.total]).toEqual([0, null, 2]);
    expect([told, closed]).toEqual([['3 rows were deleted.'], []]);
    expect([learn.selection.cursor, learn.selection.current]).toEqual([1, 4]);

    const undoing = learn.undo();
    next('rows.undo').answer({ undone: true, change: { ...nothing, deleted: 3 } });
    await undoing;
    await read(list(5));
    expect([learn.pages.total, learn.pages.at(2)?.number]).toEqual([5, 2]);
    expect(told.at(-1)).toBe('Undone: 3 rows deleted.');
    // The first notice would take back another change now.
    expect(closed).toEqual([0]);
  });

  it('go in several requests where they are more than one takes', async () => {
    const { learn, next, pages } = await start(list(12_000));
    await learn.selection.choose(0, 'alone');
    const choosing = learn.selection.choose(11_999, 'through');
    await settle();
    await pages(list(12_000));
    await choosing;
    const deleting = learn.remove();
    const numbers = (): number => (next('rows.delete').input as { numbers: number[] }).numbers.length;
    expect(numbers()).toBe(10_000);
    next('rows.delete').answer(null);
    await settle();
    expect(numbers()).toBe(2000);
    next('rows.delete').answer(null);
    await deleting;
  });

  it('stay chosen where they could not be deleted', async () => {
    const { learn, next } = await start(list(5));
    await learn.selection.choose(1, 'alone');
    const deleting = learn.remove();
    next('rows.delete').breakOff();
    await deleting;
    expect([...learn.selection.numbers]).toEqual([1]);
  });
});

describe('a file', () => {
  it('is handed over and read; what it brought and what not is told, then shown', async () => {
    const { learn, next, read } = await start(list(2));
    const importing = learn.import(() => Promise.resolve({ file: 'f', name: 'mine.jsonl' }));
    await settle();
    expect(learn.busy).toBe('importing');
    expect(next('rows.import').input).toEqual({ draft, file: 'f', format: 'auto' });
    next('rows.import').answer({ added: 4, refused: [{ line: 2, reason: 'x' }], refused_total: 1 });
    await importing;
    expect(learn.report).toMatchObject({ name: 'mine.jsonl', added: 4, refused_total: 1 });
    await read(list(6));
    learn.closeReport();
    expect([learn.report, learn.busy]).toEqual([null, null]);
    expect(next('rows.page').input).toMatchObject({ offset: 0, kind: 'imported' });
  });

  it('that nobody chose does nothing, and one at a time is read', async () => {
    const { learn, count } = await start(list(2));
    await learn.import(() => Promise.resolve(null));
    expect([learn.report, count('rows.import')]).toEqual([null, 0]);
    void learn.import(() => new Promise(() => undefined));
    let asked = false;
    await learn.import(() => ((asked = true), Promise.resolve(null)));
    expect(asked).toBe(false);
  });
});

describe('the mix', () => {
  it('is shown at once; of several choices the last is stored', async () => {
    const { learn, next, read, count } = await start(list(2));
    void learn.mix(0.5);
    void learn.mix(0.6);
    void learn.mix(0.8);
    expect(learn.recipe?.data.mix.ordinary).toBe(0.8);
    const sent = (): unknown => (next('drafts.change').input as { recipe: Recipe }).recipe.data.mix.ordinary;
    const answer = async (ordinary: number): Promise<void> => {
      next('drafts.change').answer({ draft, recipe: { ...recipe, data: { ...recipe.data, mix: { ...recipe.data.mix, ordinary } } } });
      await settle();
    };
    expect(sent()).toBe(0.5);
    await answer(0.5);
    expect(sent()).toBe(0.8);
    expect(learn.recipe?.data.mix.ordinary).toBe(0.8);
    await answer(0.8);
    expect(count('drafts.change')).toBe(0);
    await read(list(2), null, learn.recipe ?? undefined);
    expect(learn.recipe?.data.mix.ordinary).toBe(0.8);
  });

  it('is what the home has where it could not be stored', async () => {
    const { learn, next, read, failed } = await start(list(2));
    const mixing = learn.mix(0.5);
    next('drafts.change').refuse(new NamesakeError('disk.full', 'x'));
    await mixing;
    await read(list(2));
    expect([learn.recipe?.data.mix.ordinary, failed.length]).toEqual([recipe.data.mix.ordinary, 1]);
  });
});

describe('the next step', () => {
  it('is making the assistant, with what is being typed in it', async () => {
    const { learn, next } = await start(list(2));
    await learn.editRow(1);
    if (learn.edit?.words[1] !== undefined) learn.edit.words[1].content = 'new';
    const starting = learn.start();
    next('rows.edit').answer(null);
    await settle();
    expect(learn.busy).toBe('starting');
    next('runs.start').answer({ run: 'r' });
    expect(await starting).toBe('r');
    expect(learn.busy).toBeNull();
  });

  it('says why it could not begin', async () => {
    const { learn, next, failed } = await start(list(2));
    const starting = learn.start();
    await settle();
    next('runs.start').refuse(new NamesakeError('run.active', 'x'));
    expect([await starting, failed.length, learn.busy]).toEqual([null, 1, null]);
  });

  it('of a run’s rows cannot be: they do not change', async () => {
    const { learn, count } = await start(list(2), { run: 'r' });
    await learn.editRow(1);
    await learn.editNew();
    await learn.undo();
    await learn.remove();
    expect([learn.draft, learn.edit, count('rows.undo')]).toEqual([null, null, 0]);
  });
});

it('reads everything again when the connection was lost, and keeps what is being typed', async () => {
  const { learn, transport, read, count } = await start(list(2));
  await learn.editRow(1);
  transport.tell({ event: 'lost' });
  expect([count('drafts.get'), count('rows.summary'), count('rows.page')]).toEqual([1, 1, 1]);
  await read(list(3));
  expect([learn.pages.total, learn.edit?.number]).toEqual([3, 1]);
  learn.close();
  transport.tell({ event: 'lost' });
  expect(count('rows.summary')).toBe(0);
});

it('says that the draft is gone', async () => {
  const { learn, next } = await start(list(2));
  learn.reload();
  next('drafts.get').refuse(new NamesakeError('draft.unknown', draft));
  await settle();
  expect(learn.error?.code).toBe('draft.unknown');
});
