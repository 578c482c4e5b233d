// Watched run: one run for a screen, reactive. Its curve is replaced, never changed in place: deep proxies of ten thousand
// points would be slow.
import type { NamesakeError } from '../../shared/errors.ts';
import { RunWatch, type RunSource, type WatchedRun } from './run-watch.ts';

export class WatchedRunState {
  #run = $state.raw<WatchedRun | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #watch: RunWatch;

  /** Watches run `id` until `close`. */
  constructor(api: RunSource, id: string) {
    this.#watch = new RunWatch(
      api,
      id,
      (run) => {
        this.#run = run;
        this.#error = null;
      },
      (error) => {
        this.#error = error;
      },
    );
  }

  /** null before its state came. */
  get run(): WatchedRun | null {
    return this.#run;
  }

  /** Why its state cannot be had. What was known of it is still `run`. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** There is no such run, or no more: nothing of it is to be shown, and trying again does not help. */
  get gone(): boolean {
    return this.#error?.code === 'run.unknown';
  }

  /** Reads it again; undefined where that does not help. */
  get retry(): (() => void) | undefined {
    return this.gone ? undefined : () => this.#watch.retry();
  }

  close(): void {
    this.#watch.close();
  }
}
