// Draft settings: the settings of a draft as they are typed, stored one by one, and what a run of them would need.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Draft, OwnQuestions } from '../../../shared/draft.ts';
import type { MemoryBudget } from '../../../shared/memory.ts';
import type { App } from '../../state/app.svelte.ts';
import { explain, t } from '../../state/words.svelte.ts';
import { conflict, fieldOf, parseEntry, withValue, type FieldPath } from './recipe-fields.ts';

/** How long nothing has to change before memory is planned again, in milliseconds. */
const QUIET_MS = 500;
/** What shared/api.ts takes of own questions. */
const LONGEST_QUESTION = 500;
const MOST_QUESTIONS = 200;

/** What it needs of the app. */
export type DraftApp = Pick<App, 'api' | 'notices' | 'route'>;

/** Questions as they are typed: one a line. */
export function questionLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line, i) => line !== '' && lines.indexOf(line) === i);
}

export class DraftSettings {
  readonly #app: DraftApp;
  readonly #id: string;
  #draft = $state.raw<Draft | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  #wrong = $state.raw<Readonly<Partial<Record<FieldPath | 'questions', () => string>>>>({});
  #memory = $state.raw<MemoryBudget | null>(null);
  #memoryError = $state.raw<NamesakeError | null>(null);
  #questions = $state.raw<OwnQuestions | null>(null);
  #starting = $state.raw(false);
  /** Changes are stored one after the other, each on top of what the one before gave. */
  #storing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #planned = 0;
  readonly #unlisten: () => void;

  /** Reads draft `id`; listens until `close`. */
  constructor(app: DraftApp, id: string) {
    this.#app = app;
    this.#id = id;
    this.#unlisten = app.api.on('lost', () => {
      if (this.#draft === null) void this.load();
      else if (this.#memory === null) void this.#plan();
    });
    void this.load();
  }

  /** null before it came. */
  get draft(): Draft | null {
    return this.#draft;
  }

  get error(): NamesakeError | null {
    return this.#error;
  }

  /** The person's own evaluation questions; null before they came. */
  get questions(): OwnQuestions | null {
    return this.#questions;
  }

  /** What a run would take; null before it is known. */
  get memory(): MemoryBudget | null {
    return this.#memory;
  }

  get memoryError(): NamesakeError | null {
    return this.#memoryError;
  }

  get starting(): boolean {
    return this.#starting;
  }

  /** Whether everything that was typed can be used. */
  get sound(): boolean {
    return Object.keys(this.#wrong).length === 0;
  }

  /** What is wrong with what was typed in a field, in words; null where nothing is. */
  wrong(path: FieldPath | 'questions'): string | null {
    return this.#wrong[path]?.() ?? null;
  }

  async load(): Promise<void> {
    try {
      const [draft, questions] = await Promise.all([
        this.#app.api.request('drafts.get', { draft: this.#id }),
        this.#app.api.request('drafts.questions', { draft: this.#id }),
      ]);
      this.#questions = questions ?? { identity: [], ordinary: [] };
      this.#take(draft);
    } catch (error) {
      this.#error = toNamesakeError(error);
    }
  }

  /** What was typed in a field: stored where it can be used, else said what is wrong with it. */
  change(path: FieldPath, text: string): Promise<void> {
    if (this.#draft === null) return Promise.resolve();
    const entry = parseEntry(fieldOf(path, this.#draft.recipe), text);
    if ('wrong' in entry) {
      this.#mark(path, () => t(entry.wrong, entry.values));
      return Promise.resolve();
    }
    return this.put(path, entry.value);
  }

  /** Stores another value of a field. */
  put(path: FieldPath, value: unknown): Promise<void> {
    return this.#store(async () => {
      if (this.#draft === null) return;
      const recipe = withValue(this.#draft.recipe, path, value);
      const clash = conflict(recipe);
      if (clash !== null) {
        this.#mark(path, () => t(clash.wrong, clash.values));
        return;
      }
      try {
        this.#take(await this.#app.api.request('drafts.change', { draft: this.#id, recipe }));
        this.#mark(path, null);
      } catch (error) {
        this.#refused(path, toNamesakeError(error));
      }
    });
  }

  /** Stores the person's own questions of one kind, one a line. */
  ask(kind: keyof OwnQuestions, text: string): Promise<void> {
    const lines = questionLines(text);
    if (lines.length > MOST_QUESTIONS || lines.some((line) => line.length > LONGEST_QUESTION)) {
      this.#mark('questions', () => t('entry.questions', { most: MOST_QUESTIONS, longest: LONGEST_QUESTION }));
      return Promise.resolve();
    }
    return this.#store(async () => {
      const questions = { identity: [], ordinary: [], ...this.#questions, [kind]: lines };
      this.#questions = questions;
      try {
        this.#take(await this.#app.api.request('drafts.set_questions', { draft: this.#id, questions }));
        this.#mark('questions', null);
      } catch (error) {
        this.#refused('questions', toNamesakeError(error));
      }
    });
  }

  /** Begins the run, with everything stored that was typed before, and goes to watch it. */
  async start(): Promise<void> {
    this.#starting = true;
    const { route } = this.#app;
    const { place } = route;
    try {
      await this.#storing;
      if (!this.sound) return;
      const { run } = await this.#app.api.request('runs.start', { draft: this.#id });
      // Whoever went elsewhere meanwhile stays there.
      if (route.place === place) route.go({ screen: 'train', subject: { run } });
    } catch (error) {
      this.#app.notices.fail(error);
    } finally {
      this.#starting = false;
    }
  }

  close(): void {
    this.#unlisten();
    clearTimeout(this.#timer);
    this.#planned++;
  }

  #store(work: () => Promise<void>): Promise<void> {
    this.#storing = this.#storing.then(work);
    return this.#storing;
  }

  #mark(path: FieldPath | 'questions', words: (() => string) | null): void {
    const { [path]: _before, ...others } = this.#wrong;
    this.#wrong = words === null ? others : { ...others, [path]: words };
  }

  /** What the core does not take is said at the field; what lies elsewhere, over the page. */
  #refused(path: FieldPath | 'questions', error: NamesakeError): void {
    if (error.code === 'request.invalid' || error.code === 'recipe.invalid') this.#mark(path, () => t('entry.refused', { detail: error.detail }));
    else if (error.code === 'recipe.unsupported') this.#mark(path, () => explain(error));
    else this.#app.notices.fail(error);
  }

  #take(draft: Draft): void {
    this.#draft = draft;
    this.#error = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#plan(), this.#planned === 0 ? 0 : QUIET_MS);
  }

  /** Plans the memory of the present recipe; an answer that a newer question has overtaken is dropped. */
  async #plan(): Promise<void> {
    if (this.#draft === null) return;
    const { draft, recipe } = this.#draft;
    const mine = ++this.#planned;
    try {
      const budget = await this.#app.api.request('models.memory', { recipe, draft });
      if (mine !== this.#planned) return;
      this.#memory = budget;
      this.#memoryError = null;
    } catch (error) {
      if (mine !== this.#planned) return;
      this.#memory = null;
      this.#memoryError = toNamesakeError(error);
    }
  }
}
