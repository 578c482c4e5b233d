// Models: what the picker shows, with downloads as they go on.
import type { ModelCard } from '../../shared/model.ts';
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';
import type { Api } from '../api.ts';

export class ModelsState {
  /** null before the list came. */
  #list = $state.raw<readonly ModelCard[] | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
    api.on('models', () => void this.load());
    api.on('lost', () => void this.load());
    api.on('download', ({ event: _event, ...download }) => {
      if (this.#list === null) return;
      this.#list = this.#list.map((card) => (card.id === download.model ? { ...card, download } : card));
    });
    void this.load();
  }

  get list(): readonly ModelCard[] | null {
    return this.#list;
  }

  /** Why the list cannot be had; null where it can. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  find(id: string): ModelCard | null {
    return this.#list?.find((card) => card.id === id) ?? null;
  }

  async load(): Promise<void> {
    try {
      this.#list = await this.#api.request('models.list', {});
      this.#error = null;
    } catch (error) {
      this.#error = toNamesakeError(error);
    }
  }
}
