import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { DraftStore } from '../../../main/store/drafts.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import { rowSchema, type Row } from '../../../shared/row.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

const recipe = (name: string): Recipe => recipeSchema.parse({ name, data: { source: '/rows.jsonl' } });
const row = (id: string, text = id): Row => rowSchema.parse({ id, messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: text }] });
const keep = (present: Recipe): Recipe => present;

describe('DraftStore', () => {
  let db: Db;
  let store: DraftStore;
  const words = (): [number, string][] => store.rows('d').map(({ number, row: { messages } }) => [number, messages[1]?.content ?? '']);
  beforeEach(() => {
    db = openDatabase(join(temporaryFolder(), 'namesake.db'));
    store = new DraftStore(db);
    store.create('d', recipe('one'), ['a', 'b', 'c'].map((id) => ({ made: 'wizard' as const, row: row(id) })));
    return () => {
      db.close();
    };
  });

  it('does nothing where a change throws', () => {
    const before = { draft: store.get('d'), words: words() };
    expect(() =>
      store.change('d', recipe('two'), (change) => {
        change.delete(0);
        change.add('own', row('d'));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect({ draft: store.get('d'), words: words() }).toEqual(before);
    expect(store.undo('d', keep)).toBe(false);
    expect(store.change('d', null, (change) => change.add('own', row('d')))).toBe(3);
  });

  it('takes back what one change did to the same row more than once, and rows that exchanged their ids', () => {
    const before = words();
    store.change('d', null, (change) => {
      change.put(0, 'wizard', row('a', 'first'));
      change.put(0, 'own', row('a', 'second'));
      const added = change.add('own', row('new'));
      change.put(added, 'own', row('new', 'changed'));
      change.delete(added);
      change.delete(1);
      change.delete(1);
    });
    expect(words()).toEqual([[0, 'second'], [2, 'c']]);
    store.change('d', null, (change) => {
      change.delete(0);
      change.put(2, 'own', row('a', 'is a now'));
      expect(change.add('own', row('c'))).toBe(4);
    });
    expect(store.undo('d', keep)).toBe(true);
    expect(words()).toEqual([[0, 'second'], [2, 'c']]);
    expect(store.undo('d', keep)).toBe(true);
    expect(words()).toEqual(before);
    expect(store.rows('d', 'own')).toEqual([]);
  });

  it('gives an added row an id that is free', () => {
    store.change('d', null, (change) => {
      change.add('own', row('a'));
      change.add('own', row('a'));
      change.add('own', row('a-5'));
    });
    expect(store.rows('d', 'own').map(({ row: { id } }) => id)).toEqual(['a-3', 'a-4', 'a-5']);
  });

  it('lets the caller say what becomes of the recipe', () => {
    store.change('d', recipe('two'), (change) => change.delete(0));
    store.setRecipe('d', { ...recipe('three'), steps: 7 });
    store.undo('d', (present, before) => ({ ...present, name: before.name }));
    expect(store.get('d').recipe).toMatchObject({ name: 'one', steps: 7 });
  });

  it('lists what waits to be started, again once it was changed after a start', () => {
    store.create('e', recipe('other'), []);
    const waiting = (): string[] => store.unfinished().map(({ draft }) => draft);
    expect(waiting().sort()).toEqual(['d', 'e']);
    store.markStarted('d', store.version('d'));
    expect(store.unfinished()).toMatchObject([{ draft: 'e', recipe: { name: 'other' }, rows: 0 }]);
    db.prepare("UPDATE drafts SET started_at = '2026-01-01', updated_at = '2026-01-01' WHERE id = 'd'").run();
    expect(waiting()).toEqual(['e']);
    store.change('d', null, (change) => change.delete(0));
    expect(store.unfinished()[0]).toMatchObject({ draft: 'd', rows: 2 });
    // Changed while the run was about to begin: it is not what was started.
    const started = store.version('d');
    store.setRecipe('d', recipe('changed'));
    store.markStarted('d', started);
    expect(waiting()).toContain('d');
  });

  it('keeps drafts apart', () => {
    store.create('e', recipe('other'), [{ made: 'own', row: row('a', 'of e') }]);
    store.change('d', null, (change) => change.delete(0));
    expect(store.get('e')).toMatchObject({ rows: 1, undoable: false });
    expect(store.undo('e', keep)).toBe(false);
    store.delete('d');
    expect(store.list()).toEqual(['e']);
    expect(store.page('e', { offset: 0, limit: 5, search: 'OF E' }).total).toBe(1);
    expect(thrownBy(() => store.undo('d', keep)).code).toBe('draft.unknown');
  });
});
