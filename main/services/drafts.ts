// Draft service: recipes with their rows as a person prepares them. Everything is in the database at once, and every change of
// the rows can be taken back.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Draft, DraftSummary, ImportReport, OwnQuestions, RowsPage, RowsSummary } from '../../shared/draft.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { languages, type Persona } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { rowSchema, type Row } from '../../shared/row.ts';
import { onDisk } from '../disk.ts';
import type { Home } from '../home.ts';
import { readRows } from '../pipeline/import-rows.ts';
import { isWizardId, previewPersona } from '../pipeline/persona-to-rows.ts';
import type { RowFormat } from '../pipeline/row-formats.ts';
import type { LanguageResources } from '../pipeline/wizard.ts';
import { loadCatalogue, loadLanguages } from '../resources.ts';
import { openDatabase } from '../store/db.ts';
import { DraftStore, type DraftRow, type MadeBy, type RowFilter } from '../store/drafts.ts';
import type { RunStore } from '../store/runs.ts';
import { followModel, recipeOn } from './beginning.ts';
import { checkEdited } from './edited-row.ts';
import type { LocalModel, ModelService } from './model.ts';
import { OwnQuestionFiles } from './own-questions.ts';
import { refuseNewPaths } from './recipe.ts';
import { rewrite, withWizardInputs } from './rewritten-rows.ts';
import { draftRows, withSystem } from './rows.ts';

/** Drafts that are kept; the ones that nobody touched for longest go first. */
const MOST_DRAFTS = 50;
const MEGABYTE = 1024 * 1024;
/** What an imported file may hold. */
export const importLimits = { megabytes: 64, rows: 200_000, characters: 100_000 };
/** What a draft may hold. */
const MOST_ROWS = 500_000;
const LONGEST_ID = 100;
/** Rows that are read in one go where a draft may have very many: some milliseconds. */
const READ_AT_ONCE = 250;

/** What a draft begins with. */
export interface DraftInput {
  persona: Persona;
  /** The default model where none is named. */
  model?: string | undefined;
  device?: Recipe['device'] | undefined;
  steps?: number | undefined;
  seed?: number | undefined;
}

/** Whose rows. */
export type RowsOf = { draft: string } | { run: string };

type ModelTraits = Pick<LocalModel, 'weak_languages'>;

export class DraftService {
  readonly #home: Home;
  readonly #store: DraftStore;
  readonly #runs: RunStore;
  readonly #models: ModelService;
  readonly #questions: OwnQuestionFiles;
  #words: LanguageResources[] | null = null;
  /** The rows of the run that was looked at last, in a database of their own. */
  #viewed: { key: string; store: DraftStore; close: () => void } | null = null;
  #closed = false;

  constructor(home: Home, store: DraftStore, runs: RunStore, models: ModelService) {
    this.#home = home;
    this.#store = store;
    this.#runs = runs;
    this.#models = models;
    this.#questions = new OwnQuestionFiles(home);
  }

  /** A handful of questions with their answers, as the persona is typed: milliseconds. */
  preview(persona: Persona): { question: string; answer: string }[] {
    return previewPersona(persona, this.#languages);
  }

  /** A draft from the recipe that ships for the model, with the wizard's rows. Throws model.unknown, model.not_found. */
  async create(input: DraftInput): Promise<Draft> {
    const ref = input.model ?? loadCatalogue().default;
    const model = await this.#traits(ref);
    const recipe = recipeOn(ref, await this.#models.beginning(ref), input.persona, (value) => {
      for (const field of ['device', 'steps', 'seed'] as const) {
        if (input[field] !== undefined) value[field] = input[field];
      }
    });
    return this.#create(recipe, this.#wizard(recipe, model).map((row) => ({ made: 'wizard', row })));
  }

  /**
   * A draft of a run's recipe and rows; what the base answered stays answered. Throws run.unknown, rows.unreadable, or
   * recipe.unsupported for a run on token batches.
   */
  async fromRun(run: string): Promise<Draft> {
    const { recipe } = this.#runs.get(run);
    if (recipe.data.format === 'tokens') throw new NamesakeError('recipe.unsupported', 'data.format "tokens" has no rows');
    const wizard = new Set(this.#wizard(recipe, await this.#traits(recipe.model.ref)).map(({ id }) => id));
    const made = (row: Row): MadeBy => (wizard.has(row.id) ? 'wizard' : 'own');
    const { draft } = this.#create(recipe, this.#runRows(run).map((row) => ({ made: made(row), row })));
    const { questions } = this.#home.run(run);
    if (recipe.evaluate !== null && existsSync(questions)) {
      // The draft that the run came from may be gone, and its file with it.
      this.#store.setRecipe(draft, { ...recipe, evaluate: { ...recipe.evaluate, questions: this.#questions.copy(draft, questions) } });
    }
    return this.#store.get(draft);
  }

  /** Drafts that wait to be started, the one that was touched last first. */
  list(): DraftSummary[] {
    return this.#store.unfinished().map(({ draft, recipe, rows, updated_at }) => ({
      draft,
      name: recipe.name,
      model: recipe.model.ref,
      languages: recipe.data.persona?.languages ?? [],
      rows,
      updated_at,
    }));
  }

  /** Notes that a run was started from a draft as `ready` gave it: it waits no longer, unless it was or is changed. */
  markStarted(draft: string, version: string): void {
    this.#store.markStarted(draft, version);
  }

  /** Throws draft.unknown. */
  get(draft: string): Draft {
    return this.#store.get(draft);
  }

  /**
   * Puts another recipe in place. Settings that follow from the model and that nobody changed are the new model's where it is
   * another one. Where what the wizard writes from changed (persona, model, system texts, seed, …), its rows
   * are written anew, as one change that can be taken back: rows that were edited or deleted stay so where the wizard still
   * has a row of that id; imported and hand-made rows stay. Throws draft.unknown, or recipe.invalid for a path to a file that
   * the draft did not come with.
   */
  async change(draft: string, changed: Recipe): Promise<Draft> {
    let before = this.#store.get(draft).recipe;
    refuseNewPaths(changed, before, this.#home);
    const newModel = await this.#traits(changed.model.ref);
    const recipe = await this.#followed(changed, before.model.ref);
    let oldModel: ModelTraits | null = null;
    while (oldModel === null) {
      const { ref } = before.model;
      const found = await this.#traits(ref);
      // Another change may have come in meanwhile; from here on none does.
      before = this.#store.get(draft).recipe;
      if (before.model.ref === ref) oldModel = found;
    }
    const old = this.#wizard(before, oldModel);
    const next = this.#wizard(recipe, newModel);
    if (before.model.ref === recipe.model.ref && JSON.stringify(old) === JSON.stringify(next)) this.#store.setRecipe(draft, recipe);
    else {
      const sameModel = before.model.ref === recipe.model.ref;
      this.#store.change(draft, recipe, (change) => {
        rewrite(this.#store.rows(draft, 'wizard'), old, next, sameModel, change);
      });
    }
    return this.#store.get(draft);
  }

  async #followed(recipe: Recipe, before: string): Promise<Recipe> {
    const { ref } = recipe.model;
    if (ref === before) return recipe;
    return followModel(recipe, await this.#models.beginning(before), await this.#models.beginning(ref));
  }

  delete(draft: string): void {
    this.#store.delete(draft);
    this.#questions.remove(draft);
  }

  /** The person's own evaluation questions; null where the built-in ones, or none, are asked. Throws draft.unknown or questions.invalid. */
  questions(draft: string): OwnQuestions | null {
    const { evaluate, data } = this.#store.get(draft).recipe;
    if (evaluate === null || evaluate.questions === 'built-in') return null;
    return this.#questions.read(evaluate.questions, data.persona?.languages ?? languages);
  }

  /** Checks with these questions from now on; null = with the built-in ones. Throws draft.unknown, disk.full, or recipe.unsupported where nothing is checked. */
  setQuestions(draft: string, questions: OwnQuestions | null): Draft {
    const { recipe } = this.#store.get(draft);
    if (recipe.evaluate === null) throw new NamesakeError('recipe.unsupported', 'evaluate is null: nothing is asked');
    const none = questions === null || questions.identity.length + questions.ordinary.length === 0;
    const path = none ? 'built-in' : this.#questions.write(draft, questions, recipe.data.persona?.languages ?? languages);
    this.#store.setRecipe(draft, { ...recipe, evaluate: { ...recipe.evaluate, questions: path } });
    if (none) this.#questions.remove(draft);
    return this.#store.get(draft);
  }

  /** The rows of a draft or of a run, counted. Throws draft.unknown, run.unknown or rows.unreadable. */
  summary(of: RowsOf): RowsSummary {
    const { store, id } = this.#place(of);
    const { rows, by_kind } = store.get(id);
    return { rows, by_kind, by_lang: store.byLanguage(id), undoable: 'run' in of ? null : store.lastChange(id) };
  }

  /** Rows of a draft or of a run, filtered. Throws draft.unknown, run.unknown or rows.unreadable. */
  page(of: RowsOf, filter: RowFilter): RowsPage {
    const { store, id } = this.#place(of);
    return store.page(id, filter);
  }

  /**
   * One row, with the system text that it is trained under. Throws draft.unknown, run.unknown, rows.unreadable, or
   * request.invalid where there is no such row.
   */
  row(of: RowsOf, number: number): { recipe: Recipe; kept: Row; standard: Row } {
    const { store, id } = this.#place(of);
    const found = store.row(id, number);
    if (found === undefined) throw new NamesakeError('request.invalid', `there is no row ${number}`);
    const recipe = store.recipe(id);
    return { recipe, kept: found.row, standard: asTrained(found, recipe, of) };
  }

  /**
   * All rows as they are trained, with their numbers, read in parts between which others run: what changes meanwhile may be in
   * it or not, and gives another `version`. Throws as `row` does, or `cancelled`.
   */
  async trained(of: RowsOf): Promise<{ recipe: Recipe; rows: { number: number; row: Row }[] }> {
    const { store, id } = this.#place(of);
    const recipe = store.recipe(id);
    const rows: { number: number; row: Row }[] = [];
    let part: DraftRow[];
    do {
      if (this.#closed) throw new NamesakeError('cancelled', 'while rows were read');
      // Looked up each time: another run's rows may have taken the place of this one's.
      part = this.#place(of).store.rowsBehind(id, rows.at(-1)?.number ?? -1, READ_AT_ONCE);
      for (const found of part) rows.push({ number: found.number, row: asTrained(found, recipe, of) });
      await setImmediate();
    } while (part.length === READ_AT_ONCE);
    return { recipe, rows };
  }

  /** Another one whenever rows or recipe changed. Throws as `row` does. */
  version(of: RowsOf): string {
    const { store, id } = this.#place(of);
    return `${id} ${store.version(id)} ${'run' in of ? (this.#viewed?.key ?? '') : ''}`;
  }

  /**
   * Puts a row in place of another; its id stays. Throws draft.unknown, request.invalid where there is no such row,
   * rows.invalid or rows.placeholder.
   */
  editRow(draft: string, number: number, row: Row): void {
    this.#store.get(draft);
    const present = this.#store.row(draft, number);
    if (present === undefined) throw new NamesakeError('request.invalid', `there is no row ${number}`);
    const edited = checkEdited({ ...row, id: present.row.id }, present.row, number, importLimits.characters);
    if (JSON.stringify(edited) === JSON.stringify(present.row)) return;
    this.#store.change(draft, null, (change) => change.put(number, present.made, edited));
  }

  /** Adds a row at the end and returns its number. Throws draft.unknown, rows.invalid or rows.placeholder. */
  addRow(draft: string, row: Row): number {
    const { rows } = this.#store.get(draft);
    if (rows >= MOST_ROWS) throw new NamesakeError('rows.invalid', `a draft holds at most ${MOST_ROWS} rows`, { row: rows + 1 });
    const added = checkEdited(row, null, rows + 1, importLimits.characters);
    return this.#store.change(draft, null, (change) => change.add('own', withOwnId(added)));
  }

  /** Removes rows; numbers that are not there are passed over. Throws draft.unknown. */
  deleteRows(draft: string, numbers: readonly number[]): void {
    this.#store.get(draft);
    const there = [...new Set(numbers)].filter((number) => this.#store.row(draft, number) !== undefined);
    if (there.length === 0) return;
    this.#store.change(draft, null, (change) => {
      for (const number of there) change.delete(number);
    });
  }

  /** Takes the last change of the rows back; false where there is none. Throws draft.unknown. */
  undo(draft: string): boolean {
    return this.#store.undo(draft, withWizardInputs);
  }

  /**
   * Takes the rows of a file; lines that cannot be used are reported and left out. Throws draft.unknown, file.too_large,
   * rows.unreadable, or rows.empty where the file holds nothing.
   */
  async import(draft: string, path: string, format: RowFormat): Promise<ImportReport> {
    const room = MOST_ROWS - this.#store.get(draft).rows;
    const limits = { ...importLimits, rows: Math.min(importLimits.rows, room) };
    const { rows, refused, refused_total } = await readRows(readImport(path), format, limits);
    if (rows.length > 0) {
      this.#store.change(draft, null, (change) => {
        // What a file says of itself is not known to be so: its answers are a file's.
        for (const row of rows) change.add('own', withOwnId({ ...row, origin: 'file' }));
      });
    }
    return { added: rows.length, refused, refused_total };
  }

  /**
   * What a run is started with: the recipe, and all rows with their system texts; those of origin `base` without an answer
   * are for RowsService.complete. `version` is what `markStarted` takes. Throws draft.unknown, or rows.empty where there are none.
   */
  ready(draft: string): { recipe: Recipe; rows: Row[]; version: string } {
    const { recipe, by_kind } = this.#store.get(draft);
    const version = this.#store.version(draft);
    const rows = this.#store.rows(draft).map((row) => asTrained(row, recipe, { draft }));
    if (rows.length === 0) throw new NamesakeError('rows.empty', 'the draft has no rows');
    const weights = recipe.loss.by_kind;
    if (weights === null || by_kind.imported === 0 || weights.imported !== undefined) return { recipe, rows, version };
    // Weights of a shipped recipe know no imported rows; a kind that is not named would not be learnt.
    const imported = weights.ordinary ?? weights.identity ?? 1;
    return { recipe: { ...recipe, loss: { ...recipe.loss, by_kind: { ...weights, imported } } }, rows, version };
  }

  get #languages(): LanguageResources[] {
    return (this.#words ??= loadLanguages());
  }

  /** The wizard's rows of a recipe; none where it has no persona to write from. */
  #wizard(recipe: Recipe, model: Pick<LocalModel, 'weak_languages'>): Row[] {
    return recipe.data.source === 'persona' ? draftRows(recipe, model, this.#languages) : [];
  }

  /** What drafts need to know of a model; a catalogue model or one on a hub is not fetched for that. */
  async #traits(ref: string): Promise<ModelTraits> {
    const entry = loadCatalogue().models.find(({ id }) => id === ref);
    if (entry !== undefined) return entry;
    if (/^(hf|modelscope):/i.test(ref)) return { weak_languages: [] };
    return this.#models.locate(ref);
  }

  #create(recipe: Recipe, rows: readonly { made: MadeBy; row: Row }[]): Draft {
    const draft = randomBytes(8).toString('hex');
    this.#store.create(draft, recipe, rows);
    for (const old of this.#store.list().slice(MOST_DRAFTS)) this.delete(old);
    return this.#store.get(draft);
  }

  #runRows(run: string): Row[] {
    const { rows, draft } = this.#home.run(run);
    const path = [rows, draft].find((file) => existsSync(file));
    if (path === undefined) return [];
    try {
      return readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => rowSchema.parse(JSON.parse(line)));
    } catch (error) {
      throw new NamesakeError('rows.unreadable', error instanceof Error ? error.message : String(error), { path });
    }
  }

  /** Where rows are, after a look whether they are there. */
  #place(of: RowsOf): { store: DraftStore; id: string } {
    if ('run' in of) return { store: this.#view(of.run), id: of.run };
    this.#store.version(of.draft);
    return { store: this.#store, id: of.draft };
  }

  #view(run: string): DraftStore {
    const { recipe } = this.#runs.get(run);
    const { rows } = this.#home.run(run);
    const key = `${run} ${statSync(rows, { throwIfNoEntry: false })?.mtimeMs ?? 0}`;
    if (this.#viewed?.key !== key) {
      this.#forgetViewed();
      const found = recipe.data.format === 'tokens' ? [] : this.#runRows(run);
      const db = openDatabase(':memory:');
      const store = new DraftStore(db);
      store.create(run, recipe, found.map((row): { made: MadeBy; row: Row } => ({ made: 'own', row })));
      this.#viewed = { key, store, close: () => db.close() };
    }
    return this.#viewed.store;
  }

  /** Frees what is kept, before the database is closed; what reads rows in parts ends with `cancelled`. */
  close(): void {
    this.#closed = true;
    this.#forgetViewed();
  }

  #forgetViewed(): void {
    this.#viewed?.close();
    this.#viewed = null;
  }
}

/** A row with its system text: the wizard's have theirs, as those of a run. */
function asTrained({ made, row }: DraftRow, recipe: Recipe, of: RowsOf): Row {
  return made === 'wizard' || 'run' in of ? row : withSystem(row, recipe);
}

/** A row of the person's own with an id that no row of the wizard's will ever have. */
function withOwnId(row: Row): Row {
  const id = row.id.slice(0, LONGEST_ID).toWellFormed();
  return { ...row, id: isWizardId(id) ? `own-${id}` : id };
}

function readImport(path: string): string {
  return onDisk(path, () => {
    const { size } = statSync(path);
    const { megabytes } = importLimits;
    if (size > megabytes * MEGABYTE) throw new NamesakeError('file.too_large', `${size} bytes`, { limit: megabytes });
    return readFileSync(path, 'utf8');
  });
}
