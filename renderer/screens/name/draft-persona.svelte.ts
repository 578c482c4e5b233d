// Draft persona: the names of a draft, changed as one types. What it learns from is written anew behind it.
import type { Draft } from '../../../shared/draft.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Api } from '../../api.ts';
import { PersonaForm } from './persona-form.svelte.ts';

/** How long nobody types before a change is stored, in milliseconds. */
const REST_MS = 700;

export class DraftPersona {
  readonly form = new PersonaForm();
  readonly #api: Pick<Api, 'request' | 'on'>;
  readonly #unlisten: () => void;
  readonly #id: string;
  /** null before it came. */
  #draft = $state.raw<Draft | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  #state = $state<'same' | 'saving' | 'saved' | 'failed'>('same');
  /** A model that was chosen and is not stored yet. */
  #model = $state.raw<string | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #storing: Promise<void> | null = null;

  /** Reads draft `id`; listens until `close`. */
  constructor(api: Pick<Api, 'request' | 'on'>, id: string) {
    this.#api = api;
    this.#id = id;
    this.#unlisten = api.on('lost', () => {
      if (this.#draft === null) void this.load();
      else if (this.#state === 'failed') void this.store();
    });
    void this.load();
  }

  get draft(): Draft | null {
    return this.#draft;
  }

  /** Why it cannot be had or was not stored. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** How the last change stands; 'same' before there is one. */
  get state(): 'same' | 'saving' | 'saved' | 'failed' {
    return this.#state;
  }

  get model(): string | null {
    return this.#model ?? this.#draft?.recipe.model.ref ?? null;
  }

  async load(): Promise<void> {
    this.#error = null;
    try {
      this.#draft = await this.#api.request('drafts.get', { draft: this.#id });
      const { persona } = this.#draft.recipe.data;
      if (persona !== null) this.form.fill(persona);
    } catch (thrown) {
      this.#error = toNamesakeError(thrown);
    }
  }

  /** Something was typed or chosen: it is stored as soon as nothing more comes. */
  change(): void {
    clearTimeout(this.#timer);
    if (this.#next() !== null) this.#timer = setTimeout(() => void this.store(), REST_MS);
  }

  choose(model: string): void {
    this.#model = model;
    void this.store();
  }

  /** Stores what changed. True where everything that the form shows is stored; false where something is wrong. */
  async store(): Promise<boolean> {
    clearTimeout(this.#timer);
    while (this.#storing !== null) await this.#storing;
    const recipe = this.#next();
    if (recipe !== null) {
      this.#storing = this.#put(recipe);
      await this.#storing;
    } else if (this.#state === 'failed' && this.form.persona !== null) {
      // What could not be stored was taken back.
      this.#state = 'same';
      this.#error = null;
    }
    return this.#state !== 'failed' && this.form.persona !== null;
  }

  /** Stores what is typed and hears no more. */
  close(): void {
    this.#unlisten();
    void this.store();
  }

  /** The recipe as the form says it; null where nothing has to be stored. */
  #next(): Draft['recipe'] | null {
    const { persona } = this.form;
    const recipe = this.#draft?.recipe;
    if (recipe === undefined || persona === null || recipe.data.persona === null) return null;
    const named = `${recipe.data.persona.owner} · ${recipe.data.persona.name}`;
    const next = {
      ...recipe,
      // A name that was given by hand stays.
      name: recipe.name === named ? `${persona.owner} · ${persona.name}` : recipe.name,
      model: { ...recipe.model, ref: this.model ?? recipe.model.ref },
      data: { ...recipe.data, persona },
    };
    return recipe.model.ref === next.model.ref && same(recipe.data.persona, persona) ? null : next;
  }

  async #put(recipe: Draft['recipe']): Promise<void> {
    this.#state = 'saving';
    this.#error = null;
    try {
      this.#draft = await this.#api.request('drafts.change', { draft: this.#id, recipe });
      this.#model = null;
      this.#state = 'saved';
    } catch (thrown) {
      this.#error = toNamesakeError(thrown);
      this.#state = 'failed';
    } finally {
      this.#storing = null;
    }
  }
}

/** Whether two values say the same, whatever the order of their fields. */
function same(a: object, b: object): boolean {
  const text = (value: object): string => JSON.stringify(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  return text(a) === text(b);
}
