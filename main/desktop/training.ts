// Training: what the desktop does about a run of this process while it goes on and when it ends. Hears what windows hear.
import type { ApiEvent } from '../../shared/api.ts';
import { activeStatuses, type RunSummary } from '../../shared/run.ts';

export interface TrainingListener {
  /** A run goes on: at its start, and at each of its events. */
  going(run: RunSummary): void;
  /** No run goes on any more; this is how the last one ended. */
  ended(run: RunSummary): void;
}

export class Training {
  readonly #listener: TrainingListener;
  readonly #isOurs: (run: string) => boolean;
  #current: RunSummary | null = null;

  /** `isOurs` says whether this process trains the run; those of other processes are none of the desktop's business. */
  constructor(isOurs: (run: string) => boolean, listener: TrainingListener) {
    this.#isOurs = isOurs;
    this.#listener = listener;
  }

  /** The run that goes on. */
  get current(): RunSummary | null {
    return this.#current;
  }

  hear(events: readonly ApiEvent[]): void {
    for (const event of events) if (event.event === 'run') this.#hearRun(event);
  }

  #hearRun(run: RunSummary): void {
    if (activeStatuses.includes(run.status)) {
      // It may have ended since this was told: what follows says so, and must find it here.
      if (this.#current?.run !== run.run && !this.#isOurs(run.run)) return;
      this.#current = run;
      this.#listener.going(run);
    } else if (this.#current?.run === run.run) {
      this.#current = null;
      this.#listener.ended(run);
    }
  }
}
