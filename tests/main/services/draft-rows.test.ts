// The rows of a draft: pages, edits, imports, what is summed up of them, and undo.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importLimits, type DraftService } from '../../../main/services/drafts.ts';
import type { NumberedRow } from '../../../shared/draft.ts';
import { rowKinds, type Row } from '../../../shared/row.ts';
import '../../support/arbitrary.ts';
import { allRows, assistant, sent, user } from '../../support/draft-rows.ts';
import { rejectedBy, thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { fastest } from '../../support/timing.ts';
import { persona, tinyDrafts } from '../../support/tiny-drafts.ts';
import { tinyRows, writeJsonLines } from '../../support/tiny-run.ts';

const find = (drafts: DraftService, draft: string, id: string): NumberedRow | undefined => allRows(drafts, draft).find(({ row }) => row.id === id);

const first = (drafts: DraftService, draft: string, kind: Row['kind']): NumberedRow => {
  const [row] = drafts.page({ draft }, { offset: 0, limit: 1, kind }).rows;
  if (row === undefined) throw new Error(`no ${kind} row`);
  return row;
};

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
