// Runs: the list of assistants, kept up to date by events.
import type { RunSummary } from '../../shared/run.ts';
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';
import type { RunProgress } from '../../shared/api.ts';
import type { Api } from '../api.ts';
import { statusLooks } from './run-status.ts';

export interface ListedRun extends RunSummary {
  /** What it is doing, while it goes on. */
  progress: RunProgress | null;
}

export class RunsState {
  /** null before the list came; newest first. */
  #list = $state.raw<readonly ListedRun[] | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #api: Api;
  #reading = false;
  #again = false;

  constructor(api: Api) {
    this.#api = api;
    api.on('runs', () => void this.load());
    api.on('lost', () => void this.load());
    api.on('run', ({ event: _event, ...run }) => {
      if (this.#list?.some((listed) => listed.run === run.run) !== true) return void this.load();
      this.#list = this.#list.map((listed) => (listed.run === run.run ? run : listed));
    });
    void this.load();
  }

  get list(): readonly ListedRun[] | null {
    return this.#list;
  }

  /** Why the list cannot be had; null where it can. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** The run that goes on, in this program or another one: there is one at a time. null where none does. */
  get active(): ListedRun | null {
    return this.#list?.find(({ status }) => statusLooks[status].active) ?? null;
  }

  /** The run of that id, as the list knows it. */
  find(run: string): ListedRun | null {
    return this.#list?.find((listed) => listed.run === run) ?? null;
  }

  /** Reads the list; once more where that is asked for while it is being read. */
  async load(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#again = false;
        const list = await this.#api.request('runs.list', {});
        this.#list = list.map((run) => ({ ...run, progress: this.find(run.run)?.progress ?? null }));
        this.#error = null;
      } while (this.#again as boolean);
    } catch (error) {
      this.#error = toNamesakeError(error);
    } finally {
      this.#reading = false;
    }
  }
}
