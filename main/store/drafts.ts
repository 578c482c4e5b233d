// Drafts: recipes with their rows before they become runs, and the history that takes changes of the rows back.
import { NamesakeError } from '../../shared/errors.ts';
import type { NumberedRow, RowsChange, RowsPage } from '../../shared/draft.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import { isPending, rowKinds, rowSchema, type Row, type RowKind } from '../../shared/row.ts';
import type { Db } from './db.ts';

/** Who wrote a row: the wizard (it writes it anew where the persona changes), or the person (by hand or from a file). */
export type MadeBy = 'wizard' | 'own';

export interface DraftRow {
  number: number;
  made: MadeBy;
  row: Row;
}

export interface DraftRecord {
  draft: string;
  recipe: Recipe;
  rows: number;
  by_kind: Record<RowKind, number>;
  undoable: boolean;
}

/** What a page of rows is filtered by. */
export interface RowFilter {
  offset: number;
  limit: number;
  kind?: RowKind | undefined;
  lang?: string | undefined;
  search?: string | undefined;
}

/** What one change of a draft's rows may do. Added rows get numbers that no row had before, and with them an id that is free. */
export interface RowChange {
  put(number: number, made: MadeBy, row: Row): void;
  add(made: MadeBy, row: Row): number;
  delete(number: number): void;
}

interface StoredRow {
  number: number;
  id: string;
  kind: string;
  lang: string;
  origin: string;
  made: MadeBy;
  words: string;
  messages: string;
}

/** Changes that can be taken back. */
const HISTORY = 100;
const COLUMNS = 'number, id, kind, lang, origin, made, words, messages';

/** Text as searches compare it: case and width do not count. */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

function toRow({ id, kind, lang, origin, messages }: StoredRow): Row {
  return rowSchema.parse({ id, kind, lang, origin, messages: JSON.parse(messages) });
}

function toStored(number: number, made: MadeBy, { id, kind, lang, origin, messages }: Row): StoredRow {
  return {
    number,
    id,
    kind,
    lang,
    origin,
    made,
    words: folded(messages.map(({ content }) => content).join('\n')),
    messages: JSON.stringify(messages.map(({ role, content, loss, cut }) => ({ role, content, loss, cut }))),
  };
}

export class DraftStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  create(draft: string, recipe: Recipe, rows: Iterable<{ made: MadeBy; row: Row }>): void {
    const now = new Date().toISOString();
    this.#db
      .transaction(() => {
        this.#db
          .prepare('INSERT INTO drafts (id, recipe, created_at, updated_at) VALUES (?, ?, ?, ?)')
          .run(draft, JSON.stringify(recipe), now, now);
        this.#write(draft, null, 0, ({ add }) => {
          for (const { made, row } of rows) add(made, row);
        });
      })
      .immediate();
  }

  /** Throws draft.unknown. */
  get(draft: string): DraftRecord {
    const recipe = this.recipe(draft);
    const by_kind = Object.fromEntries(rowKinds.map((kind) => [kind, 0])) as Record<RowKind, number>;
    const counts = this.#db
      .prepare<[string], { kind: RowKind; rows: number }>('SELECT kind, count(*) AS rows FROM draft_rows WHERE draft_id = ? GROUP BY kind')
      .all(draft);
    for (const { kind, rows } of counts) by_kind[kind] = rows;
    return {
      draft,
      recipe,
      rows: counts.reduce((sum, { rows }) => sum + rows, 0),
      by_kind,
      undoable: this.#lastChange(draft) !== undefined,
    };
  }

  /** The recipe alone: counting very many rows takes its time. Throws draft.unknown. */
  recipe(draft: string): Recipe {
    const found = this.#db.prepare<[string], { recipe: string }>('SELECT recipe FROM drafts WHERE id = ?').get(draft);
    if (found === undefined) throw new NamesakeError('draft.unknown', draft);
    return recipeSchema.parse(JSON.parse(found.recipe));
  }

  /** Ids of all drafts, the one that was touched last first. */
  list(): string[] {
    return this.#db
      .prepare<[], { id: string }>('SELECT id FROM drafts ORDER BY updated_at DESC, id')
      .all()
      .map(({ id }) => id);
  }

  /** Drafts from which no run was started since they were last changed, the one that was touched last first. */
  unfinished(): { draft: string; recipe: Recipe; rows: number; updated_at: string }[] {
    return this.#db
      .prepare<[], { id: string; recipe: string; rows: number; updated_at: string }>(
        `SELECT id, recipe, updated_at, (SELECT count(*) FROM draft_rows WHERE draft_id = drafts.id) AS rows FROM drafts
         WHERE started_at IS NULL OR started_at < updated_at ORDER BY updated_at DESC, id`,
      )
      .all()
      .map(({ id, recipe, rows, updated_at }) => ({ draft: id, recipe: recipeSchema.parse(JSON.parse(recipe)), rows, updated_at }));
  }

  /** Notes that a run was started from a draft as it was at this `version`. */
  markStarted(draft: string, version: string): void {
    this.#db.prepare('UPDATE drafts SET started_at = @version WHERE id = @draft').run({ draft, version });
  }

  delete(draft: string): void {
    this.#db.prepare('DELETE FROM drafts WHERE id = ?').run(draft);
  }

  /** Puts a recipe in place of the present one; the rows stay. */
  setRecipe(draft: string, recipe: Recipe): void {
    this.#touch(draft, recipe);
  }

  /** A row by its number. */
  row(draft: string, number: number): DraftRow | undefined {
    const found = this.#db
      .prepare<[string, number], StoredRow>(`SELECT ${COLUMNS} FROM draft_rows WHERE draft_id = ? AND number = ?`)
      .get(draft, number);
    return found === undefined ? undefined : { number, made: found.made, row: toRow(found) };
  }

  /** All rows, or those that one of both made, by number. */
  rows(draft: string, made?: MadeBy): DraftRow[] {
    return this.#db
      .prepare<unknown[], StoredRow>(
        `SELECT ${COLUMNS} FROM draft_rows WHERE draft_id = @draft AND made = ifnull(@made, made) ORDER BY number`,
      )
      .all({ draft, made: made ?? null })
      .map((stored) => ({ number: stored.number, made: stored.made, row: toRow(stored) }));
  }

  /** The first `limit` rows whose numbers are larger than `after`, by number. */
  rowsBehind(draft: string, after: number, limit: number): DraftRow[] {
    return this.#db
      .prepare<unknown[], StoredRow>(`SELECT ${COLUMNS} FROM draft_rows WHERE draft_id = @draft AND number > @after ORDER BY number LIMIT @limit`)
      .all({ draft, after, limit })
      .map((stored) => ({ number: stored.number, made: stored.made, row: toRow(stored) }));
  }

  /** How many rows there are in each language. */
  byLanguage(draft: string): Record<string, number> {
    const counts = this.#db
      .prepare<[string], { lang: string; rows: number }>('SELECT lang, count(*) AS rows FROM draft_rows WHERE draft_id = ? GROUP BY lang ORDER BY lang')
      .all(draft);
    return Object.fromEntries(counts.map(({ lang, rows }) => [lang, rows]));
  }

  /** Another one after every change: of the rows or the recipe, by this process or another. Throws draft.unknown. */
  version(draft: string): string {
    const found = this.#db.prepare<[string], { updated_at: string }>('SELECT updated_at FROM drafts WHERE id = ?').get(draft);
    if (found === undefined) throw new NamesakeError('draft.unknown', draft);
    return found.updated_at;
  }

  /** What taking the last change back would take back; null where there is none. */
  lastChange(draft: string): RowsChange | null {
    const last = this.#lastChange(draft);
    if (last === undefined) return null;
    const counts = this.#db
      .prepare<unknown[], Omit<RowsChange, 'rewritten'>>(
        `SELECT count(*) FILTER (WHERE now.number IS NOT NULL) AS edited, count(*) FILTER (WHERE now.number IS NULL) AS deleted,
           (SELECT count(*) FROM draft_rows WHERE draft_id = @draft AND number >= @first) AS added
         FROM draft_rows_before AS before LEFT JOIN draft_rows AS now ON now.draft_id = before.draft_id AND now.number = before.number
         WHERE before.draft_id = @draft AND before.change = @change`,
      )
      .get({ draft, change: last.change, first: last.first_added });
    return { edited: counts?.edited ?? 0, deleted: counts?.deleted ?? 0, added: counts?.added ?? 0, rewritten: last.recipe !== null };
  }

  page(draft: string, { offset, limit, kind, lang, search }: RowFilter): RowsPage {
    const words = search === undefined ? '' : folded(search);
    const where = [
      'draft_id = @draft',
      ...(kind === undefined ? [] : ['kind = @kind']),
      ...(lang === undefined ? [] : ['lang = @lang']),
      ...(words === '' ? [] : ['instr(words, @words) > 0']),
    ].join(' AND ');
    const values = { draft, kind, lang, words, offset, limit };
    const { total } = this.#db.prepare<unknown[], { total: number }>(`SELECT count(*) AS total FROM draft_rows WHERE ${where}`).get(values) ?? { total: 0 };
    // The rows themselves are read for one page only.
    const rows = this.#db
      .prepare<unknown[], StoredRow>(
        `SELECT ${COLUMNS} FROM draft_rows WHERE draft_id = @draft AND number IN
           (SELECT number FROM draft_rows WHERE ${where} ORDER BY number LIMIT @limit OFFSET @offset) ORDER BY number`,
      )
      .all(values)
      .map((stored): NumberedRow => {
        const row = toRow(stored);
        return { number: stored.number, row, pending: isPending(row) };
      });
    return { total, rows };
  }

  /**
   * One change of the rows, to be taken back as one. `recipe` takes the place of the present one where it is given. Where
   * `work` throws, nothing has happened. Throws draft.unknown.
   */
  change<T>(draft: string, recipe: Recipe | null, work: (change: RowChange) => T): T {
    return this.#db
      .transaction(() => {
        const found = this.#db
          .prepare<[string], { next_number: number; recipe: string }>('SELECT next_number, recipe FROM drafts WHERE id = ?')
          .get(draft);
        if (found === undefined) throw new NamesakeError('draft.unknown', draft);
        const number = (this.#lastChange(draft)?.change ?? 0) + 1;
        this.#db
          .prepare('INSERT INTO draft_changes VALUES (?, ?, ?, ?)')
          .run(draft, number, found.next_number, recipe === null ? null : found.recipe);
        const result = this.#write(draft, number, found.next_number, work);
        this.#db.prepare('DELETE FROM draft_changes WHERE draft_id = ? AND change <= ?').run(draft, number - HISTORY);
        this.#touch(draft, recipe);
        return result;
      })
      .immediate();
  }

  /**
   * Takes the last change back; false where there is none. Where the recipe changed with the rows, `restore` says what
   * becomes of the present one. Throws draft.unknown.
   */
  undo(draft: string, restore: (present: Recipe, before: Recipe) => Recipe): boolean {
    return this.#db
      .transaction(() => {
        const { recipe } = this.get(draft);
        const last = this.#lastChange(draft);
        if (last === undefined) return false;
        const key = { draft, change: last.change };
        this.#db.prepare('DELETE FROM draft_rows WHERE draft_id = ? AND number >= ?').run(draft, last.first_added);
        // Removed first, all of them: ids may have been exchanged.
        this.#db
          .prepare('DELETE FROM draft_rows WHERE draft_id = @draft AND number IN (SELECT number FROM draft_rows_before WHERE draft_id = @draft AND change = @change)')
          .run(key);
        this.#db
          .prepare(`INSERT INTO draft_rows (draft_id, ${COLUMNS}) SELECT draft_id, ${COLUMNS} FROM draft_rows_before WHERE draft_id = @draft AND change = @change`)
          .run(key);
        this.#db.prepare('DELETE FROM draft_changes WHERE draft_id = @draft AND change = @change').run(key);
        this.#touch(draft, last.recipe === null ? null : restore(recipe, recipeSchema.parse(JSON.parse(last.recipe))));
        return true;
      })
      .immediate();
  }

  /** Its time is a version too: no two changes have the same, however quickly they come. */
  #touch(draft: string, recipe: Recipe | null): void {
    const last = this.#db.prepare<[string], { updated_at: string }>('SELECT updated_at FROM drafts WHERE id = ?').get(draft)?.updated_at;
    const now = new Date(Math.max(Date.now(), last === undefined ? 0 : Date.parse(last) + 1)).toISOString();
    this.#db
      .prepare('UPDATE drafts SET recipe = ifnull(?, recipe), updated_at = ? WHERE id = ?')
      .run(recipe === null ? null : JSON.stringify(recipe), now, draft);
  }

  #lastChange(draft: string): { change: number; first_added: number; recipe: string | null } | undefined {
    return this.#db
      .prepare<[string], { change: number; first_added: number; recipe: string | null }>(
        'SELECT change, first_added, recipe FROM draft_changes WHERE draft_id = ? ORDER BY change DESC LIMIT 1',
      )
      .get(draft);
  }

  /**
   * Lets `work` write rows inside the transaction that is open; new ones are numbered from `next` on. `change` null = the rows
   * that a draft begins with.
   */
  #write<T>(draft: string, change: number | null, next: number, work: (change: RowChange) => T): T {
    const insert = this.#db.prepare<unknown[]>(
      `INSERT INTO draft_rows (draft_id, ${COLUMNS}) VALUES (@draft, @number, @id, @kind, @lang, @origin, @made, @words, @messages)`,
    );
    const taken = this.#db.prepare('SELECT 1 FROM draft_rows WHERE draft_id = ? AND id = ?');
    // A row that this change touches twice, or added itself, keeps the state from before the change.
    const remember = this.#db.prepare<unknown[]>(
      `INSERT OR IGNORE INTO draft_rows_before (draft_id, change, ${COLUMNS})
       SELECT draft_id, @change, ${COLUMNS} FROM draft_rows WHERE draft_id = @draft AND number = @number AND number < @first`,
    );
    const remove = this.#db.prepare<unknown[]>('DELETE FROM draft_rows WHERE draft_id = @draft AND number = @number');
    const first = next;
    const take = (number: number): void => {
      remember.run({ draft, change, number, first });
      remove.run({ draft, number });
    };
    const result = work({
      put: (number, made, row) => {
        take(number);
        insert.run({ draft, ...toStored(number, made, row) });
      },
      add: (made, row) => {
        const number = next++;
        let { id } = row;
        while (taken.get(draft, id) !== undefined) id = `${id}-${number}`;
        insert.run({ draft, ...toStored(number, made, { ...row, id }) });
        return number;
      },
      delete: take,
    });
    this.#db.prepare('UPDATE drafts SET next_number = ? WHERE id = ?').run(next, draft);
    return result;
  }
}
