// Models: what there is to build on, with downloads as they go on. Downloads are the program's, so a page that comes later sees
// how they stand.
import type { ModelCard } from '../../shared/model.ts';
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';
import type { Api } from '../api.ts';

export class ModelsState {
  /** null before the list came. */
  #list = $state.raw<readonly ModelCard[] | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #api: Api;
  #watchers: readonly (() => void)[] = [];
  #reading = false;
  #again = false;
  /** The list came for the first time, or could not be had. */
  readonly #first: Promise<void>;

  constructor(api: Api) {
    this.#api = api;
    api.on('models', () => void this.load());
    api.on('lost', () => void this.load());
    api.on('download', ({ event: _event, ...download }) => {
      if (this.#list === null) return;
      // One that was asked for by name in another window.
      if (this.find(download.model) === null) return void this.load();
      this.#take(this.#list.map((card) => (card.id === download.model ? { ...card, download } : card)));
    });
    this.#first = this.load();
  }

  /** Waits for the first list; goes on as well where it cannot be had. */
  ready(): Promise<void> {
    return this.#first;
  }

  get list(): readonly ModelCard[] | null {
    return this.#list;
  }

  /** Why the list cannot be had; null where it can. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** The model that is taken where nobody chooses one; null before the list came. */
  get standard(): ModelCard | null {
    return this.#list?.find(({ standard }) => standard) ?? null;
  }

  find(id: string): ModelCard | null {
    return this.#list?.find((card) => card.id === id) ?? null;
  }

  /** Hears of every change of the list; returns the un-listener. */
  onChange(watcher: () => void): () => void {
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      this.#watchers = this.#watchers.filter((one) => one !== watcher);
    };
  }

  /** Reads the list; once more where that is asked for while it is being read. */
  async load(): Promise<void> {
    this.#again = this.#reading;
    if (this.#reading) return;
    this.#reading = true;
    try {
      do {
        this.#again = false;
        const list = await this.#api.request('models.list', {});
        this.#error = null;
        this.#take(list);
      } while (this.#again as boolean);
    } catch (error) {
      this.#error = toNamesakeError(error);
    } finally {
      this.#reading = false;
    }
  }

  #take(list: readonly ModelCard[]): void {
    this.#list = list;
    for (const watcher of this.#watchers) watcher();
  }
}
