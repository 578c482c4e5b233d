// Making: from a persona to a run that learns. A model that is not here is fetched first, and the rest goes on by itself.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Persona } from '../../../shared/persona.ts';
import type { Api } from '../../api.ts';
import type { ModelsState } from '../../state/models.svelte.ts';

/** What is made: of a persona, or of a draft that is there. `model` is null where the list of models could not be had. */
export type Wish = ({ persona: Persona } | { draft: string }) & { model: string | null };

export type Stage =
  | { kind: 'idle' }
  /** The model's licence has to be accepted before it is fetched. */
  | { kind: 'licence'; licence: string }
  /** The model is on its way, was paused, or could not be had: its card says so. */
  | { kind: 'fetching' }
  | { kind: 'starting' }
  | { kind: 'failed'; error: NamesakeError };

export interface MakingOptions {
  api: Pick<Api, 'request'>;
  models: Pick<ModelsState, 'find' | 'load' | 'onChange'>;
  /** A run was started. */
  onRun: (run: string) => void;
  /** Hears what is waited for, so that it can be kept over a reload; null = nothing any more. */
  onWaiting?: (wish: Wish | null) => void;
}

export class Making {
  #stage = $state.raw<Stage>({ kind: 'idle' });
  #wish = $state.raw<Wish | null>(null);
  readonly #o: MakingOptions;
  readonly #stopWatching: () => void;
  /** The draft of a start that failed: the same wish takes it again. */
  #made: { wish: string; draft: string } | null = null;

  constructor(options: MakingOptions) {
    this.#o = options;
    this.#stopWatching = options.models.onChange(() => this.#look());
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** The model that it is about. */
  get model(): string | null {
    return this.#wish?.model ?? null;
  }

  /** Whether it waits for a model, or for its licence to be accepted. */
  get waiting(): boolean {
    return this.#stage.kind === 'fetching' || this.#stage.kind === 'licence';
  }

  /** Whether something goes on that the form has to wait for. */
  get busy(): boolean {
    return this.waiting || this.#stage.kind === 'starting';
  }

  /** Makes an assistant; nothing where one is being made. */
  async make(wish: Wish): Promise<void> {
    if (this.busy) return;
    this.#wish = wish;
    if (wish.model !== null && this.#o.models.find(wish.model)?.here === false) await this.fetch();
    else await this.#start(wish);
  }

  /** Goes on with what was waited for before a reload. */
  resume(wish: Wish): void {
    if (this.busy) return;
    this.#wish = wish;
    this.#wait();
  }

  /** Fetches the model, or goes on with it where it was paused or failed; `accept` its licence, where it asks for that. */
  async fetch(accept = false): Promise<void> {
    const wish = this.#wish;
    if (wish === null || wish.model === null) return;
    this.#wait();
    try {
      await this.#o.api.request('models.download', { model: wish.model, accept_licence: accept });
      await this.#o.models.load();
    } catch (thrown) {
      if (this.#wish !== wish) return;
      const error = toNamesakeError(thrown);
      const { licence } = error.params;
      if (error.code === 'model.licence_required' && licence !== undefined) this.#stage = { kind: 'licence', licence: String(licence) };
      else this.#fail(error);
    }
  }

  /** Pauses the download; the wish stays. */
  async pause(): Promise<void> {
    const model = this.#wish?.model ?? null;
    if (model !== null) await this.#pause(model);
  }

  /** Tries again what failed. */
  async again(): Promise<void> {
    const wish = this.#wish;
    if (wish === null) return;
    this.#stage = { kind: 'idle' };
    await this.make(wish);
  }

  /** Gives the wish up; what was fetched stays. */
  async giveUp(): Promise<void> {
    const { model } = this;
    const fetching = this.#stage.kind === 'fetching';
    this.dismiss();
    if (model !== null && fetching) await this.#pause(model);
  }

  /** Forgets what failed: the person changes something. */
  dismiss(): void {
    this.#wish = null;
    this.#stage = { kind: 'idle' };
    this.#o.onWaiting?.(null);
  }

  /** Waits for nothing any more on this page; what was kept is there for the next one. */
  close(): void {
    this.#stopWatching();
    this.#wish = null;
  }

  async #pause(model: string): Promise<void> {
    try {
      await this.#o.api.request('models.pause', { model });
    } catch (thrown) {
      this.#fail(toNamesakeError(thrown));
    }
  }

  #wait(): void {
    this.#stage = { kind: 'fetching' };
    this.#o.onWaiting?.(this.#wish);
    this.#look();
  }

  /** Goes on as soon as the model is here. */
  #look(): void {
    const wish = this.#wish;
    if (this.#stage.kind !== 'fetching' || wish === null || wish.model === null) return;
    if (this.#o.models.find(wish.model)?.here === true) void this.#start(wish);
  }

  async #start(wish: Wish): Promise<void> {
    this.#stage = { kind: 'starting' };
    // A reload must not start it twice.
    this.#o.onWaiting?.(null);
    try {
      const { run } = await this.#o.api.request('runs.start', { draft: await this.#draft(wish) });
      this.#made = null;
      if (this.#wish !== wish) return;
      this.#wish = null;
      this.#stage = { kind: 'idle' };
      this.#o.onRun(run);
    } catch (thrown) {
      const error = toNamesakeError(thrown);
      if (error.code === 'draft.unknown') this.#made = null;
      if (this.#wish === wish) this.#fail(error);
    }
  }

  async #draft(wish: Wish): Promise<string> {
    if ('draft' in wish) return wish.draft;
    const key = JSON.stringify(wish);
    if (this.#made?.wish !== key) {
      const { persona, model } = wish;
      const { draft } = await this.#o.api.request('drafts.create', { persona, ...(model !== null && { model }) });
      this.#made = { wish: key, draft };
    }
    return this.#made.draft;
  }

  #fail(error: NamesakeError): void {
    this.#stage = { kind: 'failed', error };
    this.#o.onWaiting?.(null);
  }
}
