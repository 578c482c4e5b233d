// Drafts: how they begin, change and become others, and what a preview says.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Draft, NumberedRow } from '../../../shared/draft.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import type { Row } from '../../../shared/row.ts';
import { allRows, assistant, sent, user } from '../../support/draft-rows.ts';
import { rejectedBy, thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { fastest } from '../../support/timing.ts';
import { persona, tinyDrafts } from '../../support/tiny-drafts.ts';
import { tinyModel, tinyRows, writeJsonLines } from '../../support/tiny-run.ts';

const withPersona = ({ recipe }: Draft, change: Parameters<typeof persona>[0]): Recipe => ({
  ...recipe,
  data: { ...recipe.data, persona: persona(change) },
});

describe('a draft', () => {
  it('of many rows is read in parts, between which others run; not beyond its end', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const lines = Array.from({ length: 1000 }, (_, i) => ({ messages: [user(`Question ${i}?`), assistant(`Answer ${i}.`)] }));
    await drafts.import(draft, writeJsonLines(join(temporaryFolder(), 'rows.jsonl'), lines), 'auto');
    let turns = 0;
    let count = setImmediate(function again(): void {
      turns++;
      count = setImmediate(again);
    });
    const { rows } = await drafts.trained({ draft });
    clearImmediate(count);
    expect(rows.length).toBeGreaterThan(1000);
    expect(rows.map(({ row }) => row)).toEqual(drafts.ready(draft).rows);
    expect(rows.map(({ number }) => number)).toEqual(allRows(drafts, draft).map(({ number }) => number));
    expect(turns).toBeGreaterThan(2);
    const reading = drafts.trained({ draft });
    drafts.close();
    expect((await rejectedBy(reading)).code).toBe('cancelled');
  });

  it('begins with the wizard’s rows of a recipe that ships', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona(), steps: 7, seed: 3, device: 'cpu' });
    expect(draft.draft).toMatch(/^[0-9a-f]{16}$/);
    expect(draft.recipe).toMatchObject({ name: 'Ann · Bo', steps: 7, seed: 3, device: 'cpu', model: { ref: 'smollm2-135m-instruct' } });
    expect(draft).toMatchObject({ undoable: false, rows: Object.values(draft.by_kind).reduce((sum, n) => sum + n, 0) });
    for (const kind of ['identity', 'negative', 'near_miss', 'ordinary'] as const) expect(draft.by_kind[kind]).toBeGreaterThan(20);
    const rows = allRows(drafts, draft.draft);
    expect(rows).toHaveLength(draft.rows);
    expect(rows.some(({ row }) => row.messages.at(-1)?.content.includes('Bo'))).toBe(true);
    for (const { row, pending } of rows) expect(pending).toBe(row.origin === 'base');
    expect(drafts.ready(draft.draft)).toMatchObject({ recipe: draft.recipe, rows: rows.map(({ row }) => row) });
  });

  it('is for the model that is named, and for none that is not there', async () => {
    const { drafts } = tinyDrafts();
    expect((await drafts.create({ persona: persona(), model: tinyModel })).recipe.model.ref).toBe(tinyModel);
    expect((await rejectedBy(drafts.create({ persona: persona(), model: 'nobody' }))).code).toBe('model.unknown');
  });

  it('is there again after a restart, with what can be taken back', async () => {
    const folder = temporaryFolder();
    const { drafts, db } = tinyDrafts(folder);
    const { draft } = await drafts.create({ persona: persona() });
    const start = allRows(drafts, draft);
    drafts.addRow(draft, sent([user('q'), assistant('a')]));
    const before = { draft: drafts.get(draft), rows: allRows(drafts, draft) };
    db.close();
    const again = tinyDrafts(folder).drafts;
    expect({ draft: again.get(draft), rows: allRows(again, draft) }).toEqual(before);
    expect(again.undo(draft)).toBe(true);
    expect(allRows(again, draft)).toEqual(start);
  });

  it('goes when it is deleted, with its rows; one that is not there is draft.unknown', async () => {
    const { drafts, db } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    drafts.addRow(draft, sent([user('q'), assistant('a')]));
    drafts.delete(draft);
    for (const table of ['drafts', 'draft_rows', 'draft_changes', 'draft_rows_before']) {
      expect(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()).toEqual({ n: 0 });
    }
    const row = sent([user('q'), assistant('a')]);
    for (const work of [
      () => drafts.get(draft),
      () => drafts.page({ draft }, { offset: 0, limit: 1 }),
      () => drafts.editRow(draft, 0, row),
      () => drafts.addRow(draft, row),
      () => drafts.deleteRows(draft, [0]),
      () => drafts.undo(draft),
      () => drafts.ready(draft),
    ]) {
      expect(thrownBy(work).code).toBe('draft.unknown');
    }
    expect((await rejectedBy(drafts.change(draft, recipeSchema.parse({ data: { persona: persona() } })))).code).toBe('draft.unknown');
    expect((await rejectedBy(drafts.import(draft, 'x', 'auto'))).code).toBe('draft.unknown');
  });

  it('makes room: only the fifty that were touched last are kept', async () => {
    const { drafts, db } = tinyDrafts();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await drafts.create({ persona: persona() })).draft);
    db.prepare("UPDATE drafts SET updated_at = '2020' WHERE id = ?").run(ids[1]);
    const insert = db.prepare("INSERT INTO drafts SELECT 'old' || ?, recipe, 0, '2021', '2021', NULL FROM drafts WHERE id = ?");
    for (let i = 0; i < 47; i++) insert.run(String(i), ids[0]);
    const last = (await drafts.create({ persona: persona() })).draft;
    expect(thrownBy(() => drafts.get(ids[1] ?? '')).code).toBe('draft.unknown');
    for (const id of [ids[0] ?? '', ids[2] ?? '', last, 'old46']) expect(drafts.get(id).draft).toBe(id);
  });
});

describe('another recipe', () => {
  it('leaves the rows where nothing that they are written from changed', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona() });
    const before = allRows(drafts, draft.draft);
    const changed = await drafts.change(draft.draft, { ...draft.recipe, steps: 5, optim: { ...draft.recipe.optim, lr: 0.5 } });
    expect(changed).toMatchObject({ undoable: false, recipe: { steps: 5, optim: { lr: 0.5 } } });
    expect(allRows(drafts, draft.draft)).toEqual(before);
  });

  it('with another persona gets the wizard’s rows anew; edits, deletions and own rows stay', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona() });
    const id = draft.draft;
    const [edited, deleted] = drafts.page({ draft: id }, { offset: 0, limit: 2, kind: 'identity' }).rows as [NumberedRow, NumberedRow];
    drafts.editRow(id, edited.number, sent([user('Who?'), assistant('Bo, of course.')], { kind: 'identity', lang: 'en' }));
    drafts.deleteRows(id, [deleted.number]);
    const own = drafts.addRow(id, sent([user('q'), assistant('a')]));
    const before = allRows(drafts, id);

    await drafts.change(id, withPersona(draft, { name: 'Zed' }));
    const rows = allRows(drafts, id);
    expect(rows.map(({ number }) => number)).toEqual(before.map(({ number }) => number));
    expect(rows.find(({ number }) => number === edited.number)?.row.messages.at(-1)?.content).toBe('Bo, of course.');
    expect(rows.some(({ row }) => row.id === deleted.row.id)).toBe(false);
    expect(rows.find(({ number }) => number === own)?.row.messages).toEqual([user('q'), assistant('a')]);
    const written = rows.filter(({ row }) => row.origin === 'wizard').flatMap(({ row }) => row.messages.map(({ content }) => content));
    expect(written.some((text) => text.includes('Zed'))).toBe(true);
    expect(written.some((text) => /\bBo\b/.test(text))).toBe(false);

    // The persona goes back with the rows, the person's other choices stay.
    await drafts.change(id, { ...drafts.get(id).recipe, steps: 3 });
    expect(drafts.undo(id)).toBe(true);
    expect(allRows(drafts, id)).toEqual(before);
    expect(drafts.get(id).recipe).toMatchObject({ steps: 3, data: { persona: { name: 'Bo' } } });
  });

  it('with another model, taken back, is the recipe of the model before: its steps and rates are its own', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona(), model: 'smollm2-135m-instruct' });
    const moved = await drafts.change(draft.draft, { ...draft.recipe, model: { ...draft.recipe.model, ref: 'qwen2.5-0.5b-instruct' } });
    expect(moved.recipe.method.layers).not.toBe(draft.recipe.method.layers);
    expect(drafts.undo(draft.draft)).toBe(true);
    expect(drafts.get(draft.draft).recipe).toEqual(draft.recipe);
  });

  it('with another language gets or loses that language’s rows', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona() });
    const both = await drafts.change(draft.draft, withPersona(draft, { languages: ['zh', 'en'] }));
    expect(drafts.page({ draft: draft.draft }, { offset: 0, limit: 1, lang: 'zh' }).total).toBeGreaterThan(100);
    await drafts.change(draft.draft, withPersona(both, { languages: ['zh'] }));
    expect(drafts.page({ draft: draft.draft }, { offset: 0, limit: 1, lang: 'en' }).total).toBe(0);
  });

  it('writes the rows of the change that came last where two come at once', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona() });
    await Promise.all(['Zed', 'Kim'].map((name) => drafts.change(draft.draft, withPersona(draft, { name }))));
    expect(drafts.get(draft.draft).recipe.data.persona?.name).toBe('Kim');
    const words = JSON.stringify(allRows(drafts, draft.draft));
    expect(words).toContain('Kim');
    expect(words).not.toContain('Zed');
    while (drafts.undo(draft.draft));
    expect(allRows(drafts, draft.draft).map(({ row }) => row.messages)).toEqual(allRows(drafts, (await drafts.create({ persona: persona() })).draft).map(({ row }) => row.messages));
  });

  it('with another system text has it in the wizard’s rows, and in own rows that lack one when it starts', async () => {
    const { drafts } = tinyDrafts();
    const draft = await drafts.create({ persona: persona() });
    const bare = drafts.addRow(draft.draft, sent([user('q'), assistant('a')]));
    const told = drafts.addRow(draft.draft, sent([{ role: 'system', content: 'mine' }, user('q'), assistant('a')]));
    const { recipe } = draft;
    await drafts.change(draft.draft, { ...recipe, data: { ...recipe.data, systems: ['Be brief.'] } });
    const numbers = allRows(drafts, draft.draft).map(({ number }) => number);
    const { rows } = drafts.ready(draft.draft);
    const systems = new Map(rows.map((row, i) => [numbers[i], row.messages[0]]));
    expect(systems.get(bare)).toEqual({ role: 'system', content: 'Be brief.' });
    expect(systems.get(told)).toEqual({ role: 'system', content: 'mine' });
    for (const row of rows) expect(row.messages[0]?.role).toBe('system');
  });

  it.each<[string, (recipe: Recipe) => Recipe]>([
    ['a model', (recipe) => ({ ...recipe, model: { ...recipe.model, ref: '/etc/passwd' } })],
    ['a .gguf file', (recipe) => ({ ...recipe, model: { ...recipe.model, ref: 'secret.gguf' } })],
    ['an adapter', (recipe) => ({ ...recipe, method: { ...recipe.method, init_adapter: '/home/else/adapter' } })],
    ['rows', (recipe) => ({ ...recipe, data: { ...recipe.data, source: '/etc/passwd' } })],
    ['probes', (recipe) => recipeSchema.parse({ ...recipe, evaluate: { questions: '/etc/passwd' } })],
  ])('that names the file of %s is refused', async (_, change) => {
    const { drafts } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    const error = await rejectedBy(drafts.change(draft, change(recipe)));
    expect(error.code).toBe('recipe.invalid');
    expect(error.detail).toMatch(/cannot be named/);
    expect(drafts.get(draft).recipe).toEqual(recipe);
  });

  it('may begin from the adapter of one of the home’s runs', async () => {
    const { drafts, home } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    const init_adapter = home.run('20260101-000000-abcdef').adapter;
    const changed = await drafts.change(draft, { ...recipe, method: { ...recipe.method, init_adapter } });
    expect(changed.recipe.method.init_adapter).toBe(init_adapter);
  });

  it('may begin from an adapter that comes along', async () => {
    const { drafts } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    const init_adapter = 'built-in:smollm2_135m_identity';
    const changed = await drafts.change(draft, { ...recipe, method: { ...recipe.method, init_adapter } });
    expect(changed.recipe.method.init_adapter).toBe(init_adapter);
  });
});

describe('from a run', () => {
  async function draftOfRun(rows: readonly unknown[], change: object = {}) {
    const made = tinyDrafts();
    const { draft, recipe } = await made.drafts.create({ persona: persona() });
    const { rows: written } = made.drafts.ready(draft);
    const run = '20260101-000000-abcdef';
    made.runs.create(run, { ...recipe, ...change });
    mkdirSync(made.home.run(run).folder, { recursive: true });
    writeJsonLines(made.home.run(run).rows, rows.length > 0 ? rows : written.map((row) => answered(row)));
    return { ...made, run, recipe, written, draft: await made.drafts.fromRun(run) };
  }
  /** As the base model answered it. */
  const answered = (row: Row): Row =>
    row.origin === 'base' ? { ...row, messages: [...row.messages, { ...assistant(`about ${row.id}`), cut: true }] } : row;

  it('takes recipe and rows; what the base answered stays answered, also under another persona', async () => {
    const { drafts, draft, recipe, written } = await draftOfRun([]);
    expect(draft.recipe).toEqual(recipe);
    expect(allRows(drafts, draft.draft).map(({ row }) => row)).toEqual(written.map(answered));
    expect(allRows(drafts, draft.draft).some(({ pending }) => pending)).toBe(false);
    await drafts.change(draft.draft, withPersona(draft, { name: 'Zed' }));
    const base = allRows(drafts, draft.draft).filter(({ row }) => row.origin === 'base');
    expect(base.length).toBeGreaterThan(50);
    expect(base.some(({ pending }) => pending)).toBe(false);
    expect(allRows(drafts, draft.draft).some(({ row }) => row.origin === 'wizard' && row.messages.at(-1)?.content.includes('Zed'))).toBe(true);
  });

  it('lets another model answer again', async () => {
    const { drafts, draft } = await draftOfRun([]);
    await drafts.change(draft.draft, { ...draft.recipe, model: { ...draft.recipe.model, ref: 'hf:owner/other' } });
    const base = allRows(drafts, draft.draft).filter(({ row }) => row.origin === 'base');
    expect(base.length).toBeGreaterThan(50);
    expect(base.every(({ pending }) => pending)).toBe(true);
  });

  it('takes the rows of a file', async () => {
    const { drafts, draft } = await draftOfRun(tinyRows.map((row, i) => ({ id: `line-${i}`, ...row })), {
      data: recipeSchema.parse({ data: { source: '/somewhere/rows.jsonl' } }).data,
    });
    expect(draft.by_kind).toMatchObject({ imported: 6, identity: 0 });
    expect(drafts.ready(draft.draft).rows.map(({ messages }) => messages)).toEqual(tinyRows.map(({ messages }) => messages));
  });

  it('on tokens has no rows to take; one that is not there is run.unknown', async () => {
    const { drafts, runs, home } = tinyDrafts();
    runs.create('r', recipeSchema.parse({ data: { source: '/t.json', format: 'tokens' } }));
    expect((await rejectedBy(drafts.fromRun('r'))).code).toBe('recipe.unsupported');
    expect(drafts.page({ run: 'r' }, { offset: 0, limit: 5 })).toEqual({ total: 0, rows: [] });
    expect((await rejectedBy(drafts.fromRun('none'))).code).toBe('run.unknown');
    runs.create('broken', recipeSchema.parse({ data: { source: '/r.jsonl' } }));
    mkdirSync(home.run('broken').folder, { recursive: true });
    writeFileSync(home.run('broken').rows, '{"id":');
    expect((await rejectedBy(drafts.fromRun('broken'))).code).toBe('rows.unreadable');
    expect(thrownBy(() => drafts.page({ run: 'broken' }, { offset: 0, limit: 5 })).code).toBe('rows.unreadable');
  });

  it('shows the rows of the run itself, and those of another one after it', async () => {
    const { drafts, run, runs, home, written } = await draftOfRun([]);
    const page = drafts.page({ run }, { offset: 3, limit: 4 });
    expect(page.total).toBe(written.length);
    expect(page.rows.map(({ row }) => row)).toEqual(written.map(answered).slice(3, 7));
    runs.create('other', recipeSchema.parse({ data: { source: '/r.jsonl' } }));
    mkdirSync(home.run('other').folder, { recursive: true });
    writeJsonLines(home.run('other').rows, [{ id: 'a', ...tinyRows[0] }]);
    expect(drafts.page({ run: 'other' }, { offset: 0, limit: 4 }).total).toBe(1);
    expect(drafts.page({ run }, { offset: 0, limit: 4 }).total).toBe(written.length);
    expect(thrownBy(() => drafts.page({ run: 'none' }, { offset: 0, limit: 4 })).code).toBe('run.unknown');
  });
});

it('a preview is a handful of answers in each language, at once', () => {
  const { drafts } = tinyDrafts();
  const who = persona({ owner: '剑锋', name: '小锋', languages: ['zh', 'en'] });
  // Measured: 2 ms.
  expect(fastest(() => drafts.preview(who))).toBeLessThan(30);
  const rows = drafts.preview(who);
  expect(rows.length).toBeGreaterThan(6);
  expect(rows.length).toBeLessThan(20);
  expect(rows.some(({ answer }) => answer.includes('小锋'))).toBe(true);
  for (const { question, answer } of rows) expect(question !== '' && answer !== '' && !/[{}]/.test(answer)).toBe(true);
  // Who adds a fact sees what becomes of it.
  const told = drafts.preview({ ...who, facts: ['I like tea', '我种花'] });
  expect(told.filter(({ answer }) => answer.includes('我种花'))).toHaveLength(2);
});
