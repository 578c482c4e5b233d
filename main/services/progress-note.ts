// Progress note: what a run is doing, written into the database for other processes, a few times a second at most.
import type { RunProgress } from '../../shared/api.ts';
import type { RunStore } from '../store/runs.ts';

const EVERY_MS = 250;

export class ProgressNote {
  readonly #store: RunStore;
  readonly #run: string;
  #next: RunProgress | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(store: RunStore, run: string) {
    this.#store = store;
    this.#run = run;
  }

  /** The last one counts: what comes too soon after another is written a little later. */
  write(progress: RunProgress): void {
    this.#next = progress;
    if (this.#timer === null) this.#flush();
  }

  /** Nothing is written any more. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#next = null;
  }

  #flush(): void {
    this.#timer = null;
    if (this.#next === null) return;
    try {
      this.#store.setProgress(this.#run, this.#next);
    } catch {
      // A full disk ends the run where it writes what must not be lost. A note may be lost, and must end nothing.
    }
    this.#next = null;
    this.#timer = setTimeout(() => this.#flush(), EVERY_MS).unref();
  }
}
