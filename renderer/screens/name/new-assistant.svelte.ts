// New assistant: what is typed for the next one, on which model, and how far its making is. One for the page: it goes on while
// another screen is shown, and what was typed survives a reload.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Api } from '../../api.ts';
import type { App } from '../../state/app.svelte.ts';
import type { ModelsState } from '../../state/models.svelte.ts';
import { t } from '../../state/words.svelte.ts';
import { Making } from './making.svelte.ts';
import { PersonaForm, type Typed } from './persona-form.svelte.ts';

/** Where it is kept as long as the window is there. */
const KEPT = 'namesake.new';

interface Kept {
  typed?: Partial<Typed>;
  model?: string | null;
  /** The model that it waits for, to be made when that is here. */
  waiting?: string | null;
}

export interface NewAssistantOptions {
  api: Pick<Api, 'request'>;
  models: ModelsState;
  store: Pick<Storage, 'getItem' | 'setItem'>;
  onRun: (run: string, name: string) => void;
  onDraft: (draft: string) => void;
}

export class NewAssistant {
  #form = $state.raw(new PersonaForm());
  #chosen = $state.raw<string | null>(null);
  #waiting: string | null = null;
  #preparing = $state(false);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #o: NewAssistantOptions;
  readonly making: Making;

  constructor(options: NewAssistantOptions) {
    this.#o = options;
    const kept = this.#read();
    if (kept.typed !== undefined) this.#form.restore(kept.typed);
    this.#chosen = typeof kept.model === 'string' ? kept.model : null;
    this.making = new Making({
      api: options.api,
      models: options.models,
      onRun: (run) => {
        const { name } = this.#form;
        this.#reset();
        options.onRun(run, name.trim());
      },
      onWaiting: (wish) => {
        this.#waiting = wish?.model ?? null;
        this.keep();
      },
    });
    const { persona } = this.#form;
    if (typeof kept.waiting === 'string' && persona !== null) this.making.resume({ persona, model: kept.waiting });
  }

  get form(): PersonaForm {
    return this.#form;
  }

  /** The model that it will be based on: the chosen one as long as it is there, else the standard one; null before the list came. */
  get model(): string | null {
    const { models } = this.#o;
    const chosen = this.#chosen === null ? null : models.find(this.#chosen);
    return (chosen ?? models.standard)?.id ?? null;
  }

  choose(model: string): void {
    this.#chosen = model;
    this.making.dismiss();
    this.keep();
  }

  /** Whether the draft to look at is on its way. */
  get preparing(): boolean {
    return this.#preparing;
  }

  /** Why the draft could not be made. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** Makes the assistant. Returns what has to be mended first; null where it goes on. */
  make(): PersonaForm['firstWrong'] {
    const { persona } = this.#form;
    this.#form.tried = true;
    this.#error = null;
    if (persona === null) return this.#form.firstWrong;
    void this.#make(persona);
    return null;
  }

  /** Prepares a draft whose rows can be looked at before anything is learnt. Returns what has to be mended first. */
  prepare(): PersonaForm['firstWrong'] {
    const { persona } = this.#form;
    this.#form.tried = true;
    if (persona === null) return this.#form.firstWrong;
    void this.#prepare({ persona, ...(this.model !== null && { model: this.model }) });
    return null;
  }

  /** Keeps what is typed; called at every change. */
  keep(): void {
    const kept: Kept = { typed: this.#form.typed, model: this.#chosen, waiting: this.#waiting };
    try {
      this.#o.store.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // A browser that keeps nothing still makes assistants.
    }
  }

  /** Forgets what was typed and chosen, and what is waited for. */
  forget(): void {
    this.making.dismiss();
    this.#chosen = this.#error = null;
    this.#reset();
  }

  /** Whoever types faster than the list of models comes waits for it: it says whether there is one to fetch first. */
  async #make(persona: NonNullable<PersonaForm['persona']>): Promise<void> {
    if (this.#preparing) return;
    if (this.model === null) {
      this.#preparing = true;
      await this.#o.models.ready();
      this.#preparing = false;
    }
    await this.making.make({ persona, model: this.model });
  }

  async #prepare(input: { persona: NonNullable<PersonaForm['persona']>; model?: string }): Promise<void> {
    if (this.#preparing) return;
    this.#preparing = true;
    this.#error = null;
    try {
      const { draft } = await this.#o.api.request('drafts.create', input);
      this.#reset();
      this.#o.onDraft(draft);
    } catch (thrown) {
      this.#error = toNamesakeError(thrown);
    } finally {
      this.#preparing = false;
    }
  }

  /** The next one begins with an empty form, on the same model. */
  #reset(): void {
    this.#form = new PersonaForm();
    this.#waiting = null;
    this.keep();
  }

  #read(): Kept {
    try {
      const kept: unknown = JSON.parse(this.#o.store.getItem(KEPT) ?? '{}');
      return typeof kept === 'object' && kept !== null ? kept : {};
    } catch {
      return {};
    }
  }
}

const made = new WeakMap<App, NewAssistant>();

/** The page's own, made when it is first shown. */
export function newAssistantOf(app: App): NewAssistant {
  const present = made.get(app);
  if (present !== undefined) return present;
  const { api, models, route, notices } = app;
  const assistant = new NewAssistant({
    api,
    models,
    store: sessionStorage,
    onRun: (run, name) => {
      const place = { screen: 'train', subject: { run } } as const;
      if (route.place.screen === 'name' && route.place.subject === null) route.go(place);
      else notices.tell(() => t('name.started', { name }), { words: () => t('name.watch'), run: () => route.go(place) });
    },
    onDraft: (draft) => route.go({ screen: 'learn', subject: { draft } }),
  });
  app.onWiped(() => assistant.forget());
  made.set(app, assistant);
  return assistant;
}
