import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importLimits, type DraftService } from '../../../main/services/drafts.ts';
import type { Draft, NumberedRow } from '../../../shared/draft.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import { rowKinds, rowSchema, type Row } from '../../../shared/row.ts';
import '../../support/arbitrary.ts';
import { rejectedBy, thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { fastest } from '../../support/timing.ts';
import { persona, tinyDrafts } from '../../support/tiny-drafts.ts';
import { tinyModel, tinyRows, writeJsonLines } from '../../support/tiny-run.ts';

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string) => ({ role: 'assistant' as const, content });
/** A row as a window sends it. */
const sent = (messages: unknown[], change: object = {}): Row => rowSchema.parse({ id: 'new', messages, ...change });

/** All rows, page by page. */
function allRows(drafts: DraftService, draft: string): NumberedRow[] {
  const rows: NumberedRow[] = [];
  for (let total = 1; rows.length < total; ) {
    const page = drafts.page({ draft }, { offset: rows.length, limit: 200 });
    rows.push(...page.rows);
    total = page.total;
    if (page.rows.length === 0) break;
  }
  return rows;
}

const first = (drafts: DraftService, draft: string, kind: Row['kind']): NumberedRow => {
  const [row] = drafts.page({ draft }, { offset: 0, limit: 1, kind }).rows;
  if (row === undefined) throw new Error(`no ${kind} row`);
  return row;
};

const find = (drafts: DraftService, draft: string, id: string): NumberedRow | undefined => allRows(drafts, draft).find(({ row }) => row.id === id);

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

describe('pages', () => {
  it('are filtered by kind, language and words, whatever their case and width', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona({ languages: ['zh', 'en'] }) });
    const rows = allRows(drafts, draft);
    const texts = (filter: object): NumberedRow[] => drafts.page({ draft }, { offset: 0, limit: 200, ...filter }).rows;
    for (const kind of rowKinds) {
      expect(drafts.page({ draft }, { offset: 0, limit: 1, kind }).total).toBe(rows.filter(({ row }) => row.kind === kind).length);
    }
    expect(drafts.page({ draft }, { offset: 0, limit: 1, kind: 'negative', lang: 'zh' }).total).toBe(
      rows.filter(({ row }) => row.kind === 'negative' && row.lang === 'zh').length,
    );
    drafts.addRow(draft, sent([user('ＡＢＣxyz 100%_ done'), assistant('"; DROP TABLE drafts; --')]));
    for (const search of ['abcxyz', 'ABCXYZ 100%', '%_', '"; drop']) expect(texts({ search })).toHaveLength(1);
    expect(texts({ search: 'nowhere to be found' })).toEqual([]);
    expect(texts({ search: '你' }).length).toBeGreaterThan(10);
    for (const { row } of texts({ search: '你' })) expect(row.messages.some(({ content }) => content.includes('你'))).toBe(true);
  });

  it('of a hundred thousand rows come at once', async () => {
    const { drafts, store, db } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    store.change(draft, null, (change) => {
      for (let i = 0; i < 100_000; i++) change.add('own', sent([user(`question ${i} ${'x'.repeat(100)}`), assistant(`answer ${i}`)], { id: `r${i}` }));
    });
    db.pragma('wal_checkpoint(TRUNCATE)');
    const timed = (filter: object): number =>
      fastest(() => {
        const page = drafts.page({ draft }, { offset: 90_000, limit: 200, ...filter });
        expect(page.total).toBeGreaterThan(0);
      });
    // Measured with 200,000: 29 ms, 26 ms and 209 ms.
    expect(timed({})).toBeLessThan(500);
    expect(timed({ kind: 'imported' })).toBeLessThan(500);
    expect(timed({ search: 'Answer 99999', offset: 0 })).toBeLessThan(1000);
  });
});

describe('a row', () => {
  it('that was edited keeps number and id, and its words count as written', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const { number, row } = first(drafts, draft, 'identity');
    drafts.editRow(draft, number, sent([user('Who?'), { ...assistant('Me.'), loss: true, extra: { a: [1] } }], { id: 'forged', kind: 'negative', lang: 'en', origin: 'base' }));
    expect(find(drafts, draft, row.id)).toEqual({
      number,
      pending: false,
      row: { id: row.id, kind: 'negative', lang: 'en', origin: 'written', messages: [user('Who?'), { ...assistant('Me.'), loss: true }] },
    });
    // Nothing changed: nothing to take back but the change before.
    drafts.editRow(draft, number, find(drafts, draft, row.id)?.row as Row);
    expect(drafts.undo(draft)).toBe(true);
    expect(drafts.get(draft).undoable).toBe(false);
    expect(find(drafts, draft, row.id)?.row).toEqual(row);
  });

  it('without an answer is the base model’s to answer; with one by hand it no longer is', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const { number, row } = first(drafts, draft, 'ordinary');
    expect(row.origin).toBe('base');
    drafts.editRow(draft, number, { ...row, messages: [...row.messages, assistant('Forty-two.')] });
    expect(find(drafts, draft, row.id)).toMatchObject({ pending: false, row: { origin: 'written' } });
    drafts.editRow(draft, number, { ...row, messages: [user('Another question?')] });
    expect(find(drafts, draft, row.id)).toMatchObject({ pending: true, row: { origin: 'base' } });
    const added = drafts.addRow(draft, sent([user('And this?')], { kind: 'ordinary', lang: 'en' }));
    expect(allRows(drafts, draft).find((found) => found.number === added)).toMatchObject({ pending: true });
  });

  it('of a file stays one when it is edited, also with braces', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    await drafts.import(draft, writeJsonLines(join(temporaryFolder(), 'r.jsonl'), tinyRows), 'auto');
    const { number, row } = first(drafts, draft, 'imported');
    drafts.editRow(draft, number, { ...row, messages: [user('f"{name}"'), assistant('print(f"{owner}")')] });
    expect(find(drafts, draft, row.id)?.row.origin).toBe('file');
  });

  it.each<[string, unknown[], string]>([
    ['a placeholder', [user('Who?'), assistant('I am {name}.')], 'rows.placeholder'],
    ['no answer', [user('a'), user('b')], 'rows.invalid'],
    ['an empty question without an answer', [user(' ')], 'rows.invalid'],
    ['a late system text', [user('a'), { role: 'system', content: 's' }, assistant('b')], 'rows.invalid'],
    ['loss on a question', [{ ...user('a'), loss: true }, assistant('b')], 'rows.invalid'],
    ['a message without end', [user('a'), assistant('x'.repeat(importLimits.characters + 1))], 'rows.invalid'],
  ])('with %s is refused, and nothing changes', async (_, messages, code) => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const before = allRows(drafts, draft);
    expect(thrownBy(() => drafts.addRow(draft, sent(messages))).code).toBe(code);
    expect(thrownBy(() => drafts.editRow(draft, before[0]?.number ?? 0, sent(messages))).code).toBe(code);
    expect(allRows(drafts, draft)).toEqual(before);
    expect(drafts.get(draft).undoable).toBe(false);
  });

  it('that is not there cannot be edited; deleting it again does nothing', async () => {
    const { drafts } = tinyDrafts();
    const { draft, rows } = await drafts.create({ persona: persona() });
    const { number } = first(drafts, draft, 'identity');
    drafts.deleteRows(draft, [number, number, 999_999_999]);
    expect(drafts.get(draft).rows).toBe(rows - 1);
    drafts.deleteRows(draft, [number]);
    expect(thrownBy(() => drafts.editRow(draft, number, sent([user('q'), assistant('a')]))).code).toBe('request.invalid');
    expect(drafts.undo(draft)).toBe(true);
    expect(drafts.get(draft)).toMatchObject({ rows, undoable: false });
  });

  it('never gets a number or an id that another one had', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const one = drafts.addRow(draft, sent([user('q'), assistant('a')]));
    const two = drafts.addRow(draft, sent([user('q'), assistant('a')]));
    drafts.undo(draft);
    const three = drafts.addRow(draft, sent([user('q'), assistant('a')], { id: 'en-identity-0' }));
    expect([two, three]).toEqual([one + 1, one + 2]);
    const ids = allRows(drafts, draft).map(({ row }) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.at(-1)).toBe('own-en-identity-0');
  });
});

describe('an import', () => {
  it('takes the good lines and names the others; it is one change', async () => {
    const { drafts } = tinyDrafts();
    const { draft, rows } = await drafts.create({ persona: persona() });
    const file = join(temporaryFolder(), 'r.jsonl');
    const good = (value: unknown): string => JSON.stringify(value);
    writeFileSync(
      file,
      [
        '\uFEFF' + good(tinyRows[0]),
        'not json',
        good({ instruction: 'Add.', input: '1+1', output: '2' }),
        '',
        good({ conversations: [{ from: 'human', value: 'hi' }, { from: 'tool', value: 'x' }] }),
        good({ conversations: [{ from: 'human', value: 'hi' }, { from: 'gpt', value: 'hello' }] }),
        good({ messages: [user('q'), assistant('x'.repeat(importLimits.characters + 1))] }),
        good({ ...tinyRows[0], origin: 'base', kind: 'ordinary', lang: 'en' }),
      ].join('\r\n'),
    );
    const report = await drafts.import(draft, file, 'auto');
    expect(report).toMatchObject({ added: 4, refused_total: 3 });
    expect(report.refused.map(({ line }) => line)).toEqual([2, 5, 7]);
    expect(report.refused[1]?.reason).toMatch(/tool/);
    const added = allRows(drafts, draft).slice(rows).map(({ row }) => row);
    expect(added.map(({ messages }) => messages.map(({ content }) => content))).toEqual([
      tinyRows[0]?.messages.map(({ content }) => content),
      ['Add.\n1+1', '2'],
      ['hi', 'hello'],
      tinyRows[0]?.messages.map(({ content }) => content),
    ]);
    expect(added.map(({ origin }) => origin)).toEqual(['file', 'file', 'file', 'file']);
    expect(drafts.undo(draft)).toBe(true);
    expect(drafts.get(draft)).toMatchObject({ rows, undoable: false });
  });

  it('of the same file twice gives ids of their own', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const file = writeJsonLines(join(temporaryFolder(), 'r.jsonl'), [...tinyRows, ...tinyRows].map((row) => ({ ...row, id: 'same' })));
    for (let i = 0; i < 3; i++) expect((await drafts.import(draft, file, 'openai')).added).toBe(12);
    const ids = allRows(drafts, draft).map(({ row }) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('names the first hundred refusals and counts them all; nothing good is no change', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const file = join(temporaryFolder(), 'r.jsonl');
    writeFileSync(file, 'x\n'.repeat(150));
    const report = await drafts.import(draft, file, 'auto');
    expect(report).toMatchObject({ added: 0, refused_total: 150 });
    expect(report.refused).toHaveLength(100);
    expect(drafts.get(draft).undoable).toBe(false);
    writeFileSync(file, ' \n');
    expect((await rejectedBy(drafts.import(draft, file, 'auto'))).code).toBe('rows.empty');
  });

  it('of a file that is too large is refused before it is read', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const file = join(temporaryFolder(), 'r.jsonl');
    writeFileSync(file, Buffer.alloc(importLimits.megabytes * 1024 * 1024 + 1));
    const error = await rejectedBy(drafts.import(draft, file, 'auto'));
    expect(error).toMatchObject({ code: 'file.too_large', params: { limit: 64 } });
  });

  it('is learnt: imported rows get a weight where the recipe weighs kinds', async () => {
    const { drafts } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    expect(recipe.loss.by_kind).not.toBeNull();
    expect(drafts.ready(draft).recipe).toEqual(recipe);
    await drafts.import(draft, writeJsonLines(join(temporaryFolder(), 'r.jsonl'), tinyRows), 'auto');
    expect(drafts.ready(draft).recipe.loss.by_kind).toEqual({ ...recipe.loss.by_kind, imported: recipe.loss.by_kind?.ordinary });
  });
});

describe('a summary', () => {
  it('counts rows by kind and language, and says what undo would take back', async () => {
    const { drafts } = tinyDrafts();
    const { draft, rows, by_kind, recipe } = await drafts.create({ persona: persona() });
    expect(drafts.summary({ draft })).toEqual({ rows, by_kind, by_lang: { en: rows }, undoable: null });
    drafts.addRow(draft, sent([user('q'), assistant('a')], { lang: 'fr' }));
    expect(drafts.summary({ draft })).toMatchObject({ rows: rows + 1, by_lang: { en: rows, fr: 1 }, undoable: { added: 1, edited: 0, deleted: 0, rewritten: false } });
    drafts.deleteRows(draft, [0, 1, 2]);
    expect(drafts.summary({ draft }).undoable).toEqual({ added: 0, edited: 0, deleted: 3, rewritten: false });
    drafts.editRow(draft, 3, sent([user('q'), assistant('other')]));
    expect(drafts.summary({ draft }).undoable).toEqual({ added: 0, edited: 1, deleted: 0, rewritten: false });
    await drafts.change(draft, { ...recipe, data: { ...recipe.data, persona: persona({ name: 'Cy' }) } });
    expect(drafts.summary({ draft }).undoable).toMatchObject({ rewritten: true });
    expect(drafts.summary({ draft }).undoable?.edited).toBeGreaterThan(20);
  });

  it('has a version that no two changes share, however quickly they come', async () => {
    const { drafts } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    const versions = [drafts.version({ draft })];
    for (let i = 0; i < 5; i++) {
      drafts.addRow(draft, sent([user('q'), assistant('a')]));
      versions.push(drafts.version({ draft }));
      drafts.undo(draft);
      versions.push(drafts.version({ draft }));
    }
    await drafts.change(draft, { ...recipe, steps: 9 });
    versions.push(drafts.version({ draft }));
    expect(new Set(versions).size).toBe(versions.length);
    expect(drafts.version({ draft })).toBe(versions.at(-1));
  });
});

describe('undo', () => {
  const change = fc.oneof(
    fc.record({ what: fc.constant('edit' as const), at: fc.nat(), text: fc.string({ minLength: 1 }) }),
    fc.record({ what: fc.constant('add' as const), text: fc.string() }),
    fc.record({ what: fc.constant('delete' as const), at: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }) }),
    fc.record({ what: fc.constant('import' as const), rows: fc.integer({ min: 0, max: 6 }) }),
    fc.record({ what: fc.constant('persona' as const), name: fc.constantFrom('Bo', 'Zed', '小锋'), languages: fc.constantFrom(['en' as const], ['en' as const, 'zh' as const]) }),
    fc.record({ what: fc.constant('undo' as const) }),
  );

  it('takes any changes back, one by one, to the start', async () => {
    const { drafts } = tinyDrafts();
    const folder = temporaryFolder();
    const files = Array.from({ length: 7 }, (_, n) => writeJsonLines(join(folder, `${n}.jsonl`), n === 0 ? [{}] : tinyRows.slice(0, n)));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        const { draft } = await drafts.create({ persona: persona() });
        /** Every state that undo has to bring back, the latest last. */
        const states = [{ rows: allRows(drafts, draft), persona: drafts.get(draft).recipe.data.persona }];
        for (const step of changes) {
          const numbers = allRows(drafts, draft).map(({ number }) => number);
          const at = (index: number): number => numbers[index % numbers.length] ?? 0;
          if (step.what === 'edit') drafts.editRow(draft, at(step.at), sent([user('q'), assistant(step.text.replace(/[{}]/g, ''))]));
          else if (step.what === 'add') drafts.addRow(draft, sent([user(step.text), assistant('a')].map((message) => ({ ...message, content: message.content.replace(/[{}]/g, '') }))));
          else if (step.what === 'delete') drafts.deleteRows(draft, step.at.map(at));
          else if (step.what === 'import') await drafts.import(draft, files[step.rows] ?? '', 'auto');
          else if (step.what === 'persona') {
            const { recipe } = drafts.get(draft);
            await drafts.change(draft, { ...recipe, data: { ...recipe.data, persona: persona({ name: step.name, languages: [...step.languages] }) } });
          } else {
            expect(drafts.undo(draft)).toBe(states.length > 1);
            if (states.length > 1) states.pop();
          }
          const now = { rows: allRows(drafts, draft), persona: drafts.get(draft).recipe.data.persona };
          if (step.what === 'undo') expect(now).toEqual(states.at(-1));
          else if (JSON.stringify(now) !== JSON.stringify(states.at(-1))) states.push(now);
        }
        while (states.length > 1) {
          states.pop();
          expect(drafts.undo(draft)).toBe(true);
          expect({ rows: allRows(drafts, draft), persona: drafts.get(draft).recipe.data.persona }).toEqual(states.at(-1));
        }
        expect(drafts.undo(draft)).toBe(false);
        expect(drafts.get(draft).undoable).toBe(false);
        drafts.delete(draft);
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  it('remembers a hundred changes', async () => {
    const { drafts, db } = tinyDrafts();
    const { draft, rows } = await drafts.create({ persona: persona() });
    for (let i = 0; i < 130; i++) drafts.addRow(draft, sent([user(`q${i}`), assistant('a')]));
    drafts.deleteRows(draft, [first(drafts, draft, 'identity').number]);
    let undone = 0;
    while (drafts.undo(draft)) undone++;
    expect(undone).toBe(100);
    expect(drafts.get(draft).rows).toBe(rows + 31);
    expect(db.prepare('SELECT count(*) AS n FROM draft_rows_before').get()).toEqual({ n: 0 });
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
