// Take home: the export of one run, as it stands in the program: asked for here or in another window, now or before.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { ExportProgress, ExportResult } from '../../../shared/export.ts';
import type { App } from '../../state/app.svelte.ts';

/** What it needs of the app. */
export type TakeHomeApp = Pick<App, 'api' | 'notices'>;

export class TakeHome {
  readonly #app: TakeHomeApp;
  readonly #run: string;
  readonly #unlisten: (() => void)[];
  #progress = $state.raw<ExportProgress | null>(null);
  #result = $state.raw<ExportResult | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  /** This window asked: how it ends is told by the answer. */
  #asked = false;

  /** Watches the export of `run` until `close`. */
  constructor(app: TakeHomeApp, run: string) {
    this.#app = app;
    this.#run = run;
    this.#unlisten = [
      app.api.on('export', (event) => {
        if (event.run !== run) return;
        this.#progress = event.progress;
        if (event.progress !== null) this.#error = null;
        else if (!this.#asked) void this.#read();
      }),
      app.api.on('lost', () => void this.#read()),
    ];
    void this.#read();
  }

  /** How far the export is; null where none goes on. */
  get progress(): ExportProgress | null {
    return this.#progress;
  }

  /** What was exported last; null where nothing was. */
  get result(): ExportResult | null {
    return this.#result;
  }

  /** Why the last one did not succeed. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  async export(): Promise<void> {
    if (this.#progress !== null) return;
    this.#asked = true;
    this.#error = null;
    this.#progress = { phase: 'waiting', done: null, total: null };
    try {
      this.#result = await this.#app.api.request('export.adapter', { run: this.#run });
      this.#progress = null;
    } catch (error) {
      const known = toNamesakeError(error);
      // The connection broke, not the export: how it stands is asked when the connection is back.
      if (known.code !== 'door.lost') {
        this.#error = known;
        this.#progress = null;
      }
    } finally {
      this.#asked = false;
    }
  }

  /** Shows what was exported in the system's file manager. */
  async showFolder(): Promise<void> {
    try {
      await this.#app.api.request('app.show', { what: 'exports' });
    } catch (error) {
      this.#app.notices.fail(error);
    }
  }

  async #read(): Promise<void> {
    try {
      const { progress, last } = await this.#app.api.request('export.state', { run: this.#run });
      this.#progress = progress;
      this.#result = last;
    } catch (error) {
      const known = toNamesakeError(error);
      if (known.code !== 'door.lost' && known.code !== 'run.unknown') this.#error = known;
    }
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
  }
}
