// Learn: what an assistant learns from, as one looks through it and changes it. Every change of the rows is in the home at once and
// can be taken back.
import type { ImportReport, RowsSummary } from '../../../shared/draft.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { Row } from '../../../shared/row.ts';
import type { HandedFile } from '../../../shared/window-api.ts';
import type { Api } from '../../api.ts';
import type { Notices } from '../../state/notices.svelte.ts';
import { t } from '../../state/words.svelte.ts';
import { changeInWords } from './change-words.ts';
import { LifeState } from './life.svelte.ts';
import { RowEdit } from './row-edit.svelte.ts';
import { RowPages, type RowFilter, type Subject } from './row-pages.svelte.ts';
import { Selection } from './selection.svelte.ts';

/** Numbers that one request deletes. */
const MOST_NUMBERS = 10_000;

type Source = Pick<Api, 'request' | 'on'>;

export class LearnState {
  readonly subject: Subject;
  readonly pages: RowPages;
  readonly selection: Selection;
  readonly life: LifeState;
  #recipe = $state.raw<Recipe | null>(null);
  #summary = $state.raw<RowsSummary | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  #edit = $state.raw<RowEdit | null>(null);
  #report = $state.raw<(ImportReport & { name: string }) | null>(null);
  #busy = $state.raw<'starting' | 'importing' | null>(null);
  readonly #api: Source;
  readonly #notices: Pick<Notices, 'fail' | 'tell' | 'close'>;
  readonly #unlisten: (() => void)[];
  #reading = 0;
  /** The notice that offers to take the last change back: with the next change that would be another one. */
  #offer: number | null = null;
  /** The share of ordinary conversations that was chosen last, until the home has it. */
  #share: number | null = null;
  #changing = false;

  constructor(api: Source, notices: Pick<Notices, 'fail' | 'tell' | 'close'>, subject: Subject) {
    this.#api = api;
    this.#notices = notices;
    this.subject = subject;
    this.pages = new RowPages(api, subject);
    this.selection = new Selection(this.pages);
    this.life = new LifeState(api, subject);
    this.#unlisten = [api.on('lost', () => this.reload()), api.on('models', () => this.life.again())];
    void this.#read();
  }

  /** The draft's id; null where a run is shown, which nobody changes any more. */
  get draft(): string | null {
    return 'draft' in this.subject ? this.subject.draft : null;
  }

  /** null before it came. */
  get recipe(): Recipe | null {
    return this.#recipe;
  }

  /** null before it came. */
  get summary(): RowsSummary | null {
    return this.#summary;
  }

  /** Why draft or run cannot be had. */
  get error(): NamesakeError | null {
    return this.#error ?? this.pages.error;
  }

  /** The row that is being typed; null = none. */
  get edit(): RowEdit | null {
    return this.#edit;
  }

  /** What the last import did, until it is put away. */
  get report(): (ImportReport & { name: string }) | null {
    return this.#report;
  }

  get busy(): 'starting' | 'importing' | null {
    return this.#busy;
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
    this.pages.close();
    this.life.close();
  }

  /** Reads all that is shown again. */
  reload(): void {
    this.pages.invalidate();
    this.life.again();
    void this.#read();
  }

  /** Shows the rows that a filter lets through. */
  find(change: Partial<RowFilter>): void {
    this.selection.reset();
    this.pages.find({ ...this.pages.filter, ...change });
  }

  /** Begins to type in a row that is read; saves what was typed in another one. */
  async editRow(number: number): Promise<void> {
    const found = this.pages.at(this.pages.indexOf(number));
    if (this.draft === null || found === null || this.#edit?.number === number) return;
    if (await this.#settle()) this.#edit = new RowEdit(number, found.row);
  }

  /** Begins to type a new row. */
  async editNew(): Promise<void> {
    if (this.draft === null || this.#edit?.number === null || !(await this.#settle())) return;
    const { kind, lang } = this.pages.filter;
    const first = this.#recipe?.data.persona?.languages[0];
    const row: Row = {
      ...{ id: 'own', kind: kind ?? 'identity', lang: lang ?? first ?? 'und', origin: 'written' },
      messages: [{ role: 'user', content: '' }, { role: 'assistant', content: '' }],
    }; // prettier-ignore
    this.#edit = new RowEdit(null, row);
  }

  /** Leaves the row as it was before. */
  leave(): void {
    this.#edit = null;
  }

  /** Puts what was typed into the row. False where it could not be: it can still be typed at. */
  async save(): Promise<boolean> {
    const [edit, draft] = [this.#edit, this.draft];
    if (edit === null || draft === null || edit.saving || !edit.ready) return false;
    edit.saving = true;
    const saved = await this.#do(async () => {
      if (edit.number !== null) await this.#api.request('rows.edit', { draft, number: edit.number, row: edit.row });
      else {
        await this.#api.request('rows.add', { draft, row: edit.row });
        // It stands at the end, where nobody looks by chance.
        this.selection.clear();
        this.selection.move(this.pages.total ?? 0);
        this.#offer = this.#notices.tell(() => t('learn.added'), { words: () => t('learn.undo'), run: () => void this.undo() });
      }
    });
    edit.saving = false;
    if (saved && this.#edit === edit) this.#edit = null;
    return saved;
  }

  /** Deletes the rows that are chosen. */
  async remove(): Promise<void> {
    const draft = this.draft;
    const numbers = [...this.selection.numbers];
    if (draft === null || numbers.length === 0) return;
    const places = numbers.map((number) => this.pages.indexOf(number)).filter((place) => place >= 0);
    // Where the next row will stand.
    const first = places.length === 0 ? null : places.reduce((least, place) => Math.min(least, place));
    const done = await this.#do(async () => {
      for (let at = 0; at < numbers.length; at += MOST_NUMBERS) {
        await this.#api.request('rows.delete', { draft, numbers: numbers.slice(at, at + MOST_NUMBERS) });
      }
    });
    if (!done) return;
    if (this.#edit !== null && numbers.includes(this.#edit.number ?? -1)) this.#edit = null;
    this.selection.clear();
    if (first !== null) this.selection.move(first);
    this.#offer = this.#notices.tell(() => t('learn.deleted', { rows: numbers.length }), { words: () => t('learn.undo'), run: () => void this.undo() });
  }

  /** Takes the last change of the rows back, and says what it was. */
  async undo(): Promise<void> {
    const draft = this.draft;
    if (draft === null) return;
    await this.#do(async () => {
      const { change } = await this.#api.request('rows.undo', { draft });
      this.#notices.tell(() => (change === null ? t('learn.nothing_to_undo') : t('learn.undone', { what: changeInWords(change) })));
    });
  }

  /** Takes the rows of a file that `hand` hands over; null where the person chose none. */
  async import(hand: () => Promise<HandedFile | null>): Promise<void> {
    const draft = this.draft;
    if (draft === null || this.#busy !== null) return;
    await this.#while('importing', async () => {
      const handed = await hand();
      if (handed === null) return;
      const report = await this.#api.request('rows.import', { draft, file: handed.file, format: 'auto' });
      this.#report = { ...report, name: handed.name };
    });
  }

  /** Puts the report of an import away; shows what it brought. */
  closeReport(): void {
    if ((this.#report?.added ?? 0) > 0) this.find({ kind: 'imported', lang: null, search: '' });
    this.#report = null;
  }

  /** Chooses the share of ordinary conversations in each step. The last choice counts, however quickly they come. */
  async mix(ordinary: number): Promise<void> {
    const draft = this.draft;
    if (draft === null || this.#recipe === null) return;
    this.#recipe = withShare(this.#recipe, ordinary);
    this.#share = ordinary;
    if (this.#changing) return;
    this.#changing = true;
    try {
      for (let share: number | null = ordinary; share !== null; share = this.#share) {
        this.#share = null;
        const changed: Recipe = (await this.#api.request('drafts.change', { draft, recipe: withShare(this.#recipe, share) })).recipe;
        if (this.#share === null) this.#recipe = changed;
      }
    } catch (error) {
      this.#share = null;
      this.#notices.fail(error);
    } finally {
      this.#changing = false;
    }
    this.reload();
  }

  /** Makes the assistant; its run's id, or null where it could not begin. */
  async start(): Promise<string | null> {
    const draft = this.draft;
    if (draft === null || this.#busy !== null || !(await this.#settle())) return null;
    let run: string | null = null;
    await this.#while('starting', async () => {
      ({ run } = await this.#api.request('runs.start', { draft }));
    });
    return run;
  }

  /** Saves what is being typed; true where nothing is left to save. */
  async #settle(): Promise<boolean> {
    if (this.#edit === null) return true;
    if (this.#edit.changed && this.#edit.ready) return this.save();
    this.#edit = null;
    return true;
  }

  /** Does something to the rows and reads them again, done or not: a connection may break behind what was done. */
  async #do(work: () => Promise<void>): Promise<boolean> {
    if (this.#offer !== null) this.#notices.close(this.#offer);
    this.#offer = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.#notices.fail(error);
      return false;
    } finally {
      this.reload();
    }
  }

  async #while(busy: 'starting' | 'importing', work: () => Promise<void>): Promise<void> {
    this.#busy = busy;
    try {
      await this.#do(work);
    } finally {
      this.#busy = null;
    }
  }

  async #read(): Promise<void> {
    const mine = ++this.#reading;
    const { subject } = this;
    try {
      const [{ recipe }, summary] = await Promise.all([
        'draft' in subject ? this.#api.request('drafts.get', subject) : this.#api.request('runs.get', subject),
        this.#api.request('rows.summary', { of: subject }),
      ]);
      if (mine !== this.#reading) return;
      // What was chosen meanwhile is on its way.
      if (!this.#changing) this.#recipe = recipe;
      this.#summary = summary;
      this.#error = null;
    } catch (error) {
      if (mine === this.#reading) this.#error = toNamesakeError(error);
    }
  }
}

function withShare(recipe: Recipe, ordinary: number): Recipe {
  return { ...recipe, data: { ...recipe.data, mix: { ...recipe.data.mix, ordinary } } };
}
