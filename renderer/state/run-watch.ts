// Run watch: one run as the core has it, kept up to date by events. Its curve has every step once, in order, whatever
// happens to the connection.
import type { RunDetails } from '../../shared/api.ts';
import { withPart } from '../../shared/curve.ts';
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';
import type { Api, EventOf } from '../api.ts';
import { statusLooks } from './run-status.ts';

type RunChange = EventOf<'run'> | EventOf<'steps'>;

export interface WatchedRun extends RunDetails {
  /** What it was warned of while it is watched, each once, the first one first; the last MOST_WARNINGS. */
  warnings: readonly EventOf<'warning'>[];
}

/** More than these would hide the run; the last ones tell how it is now. */
export const MOST_WARNINGS = 10;

/** What a watch needs of the Api. */
export type RunSource = Pick<Api, 'request' | 'on'>;

export class RunWatch {
  readonly #api: RunSource;
  readonly #id: string;
  readonly #onChange: (run: WatchedRun) => void;
  readonly #onError: (error: NamesakeError) => void;
  readonly #unsubscribe: (() => void)[];
  #run: WatchedRun | null = null;
  #warnings: readonly EventOf<'warning'>[] = [];
  /** Came while the run's state was on its way: they are put on top of it. Nothing is on its way where null. */
  #meanwhile: RunChange[] | null = null;
  #again = false;
  #closed = false;

  /** Watches run `id` from now on. `onError` hears why its state cannot be had; a lost connection is not among it. */
  constructor(api: RunSource, id: string, onChange: (run: WatchedRun) => void, onError: (error: NamesakeError) => void) {
    this.#api = api;
    this.#id = id;
    this.#onChange = onChange;
    this.#onError = onError;
    const mine = <E extends { run: string }>(take: (event: E) => void) => (event: E): void => {
      if (event.run === id) take(event);
    };
    this.#unsubscribe = [
      api.on('run', mine((event) => this.#hear(event))),
      api.on('steps', mine((event) => this.#hear(event))),
      // Scores are stored with more than the event tells.
      api.on('probe', mine(() => this.#load())),
      api.on('warning', mine((warning) => this.#warn(warning))),
      api.on('runs', () => this.#others()),
      api.on('lost', () => this.#load()),
    ];
    this.#load();
  }

  /** The run as it is known now; null before its state has come. */
  get run(): WatchedRun | null {
    return this.#run;
  }

  /** Reads the run again, where its state could not be had. */
  retry(): void {
    this.#load();
  }

  close(): void {
    this.#closed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Reads the whole state; once more where that is asked for while it is being read. */
  #load(): void {
    if (this.#meanwhile !== null) {
      this.#again = true;
      return;
    }
    this.#meanwhile = [];
    this.#again = false;
    this.#api.request('runs.get', { run: this.#id }).then(
      (details) => this.#loaded(details),
      (error: unknown) => this.#failed(toNamesakeError(error)),
    );
  }

  #loaded(details: RunDetails): void {
    if (this.#closed) return;
    const meanwhile = this.#meanwhile ?? [];
    this.#meanwhile = null;
    this.#run = { ...details, warnings: this.#warnings };
    for (const event of meanwhile) this.#apply(event);
    if (this.#again) this.#load();
    this.#onChange(this.#run);
  }

  #failed(error: NamesakeError): void {
    if (this.#closed) return;
    this.#meanwhile = null;
    // The connection comes back, and tells `lost` then.
    if (error.code === 'door.lost') return;
    if (this.#again && error.code !== 'run.unknown') this.#load();
    else this.#onError(error);
  }

  #hear(event: RunChange): void {
    this.#meanwhile?.push(event);
    if (this.#run === null) return;
    this.#apply(event);
    this.#onChange(this.#run);
  }

  /** The list has changed: another window may have deleted this run, or brought it back. One that goes on stays. */
  #others(): void {
    if (this.#run === null || !statusLooks[this.#run.status].active) this.#load();
  }

  #warn(warning: EventOf<'warning'>): void {
    const told = JSON.stringify(warning);
    if (this.#warnings.some((before) => JSON.stringify(before) === told)) return;
    this.#warnings = [...this.#warnings, warning].slice(-MOST_WARNINGS);
    // A resumed run warns before its state has come.
    if (this.#run === null) return;
    this.#run = { ...this.#run, warnings: this.#warnings };
    this.#onChange(this.#run);
  }

  /** Puts an event on top of the state; asks for the state where something is missing between the two. */
  #apply(change: RunChange): void {
    if (this.#run === null) return;
    if (change.event === 'steps') {
      const metrics = withPart(this.#run.metrics, change);
      if (metrics === null) this.#load();
      else this.#run = { ...this.#run, metrics };
      return;
    }
    const { event: _event, progress, ...summary } = change;
    const { active } = statusLooks[summary.status];
    const ended = statusLooks[this.#run.status].active && !active;
    const chosen = summary.chosen_step !== this.#run.chosen_step;
    this.#run = { ...this.#run, ...summary, phase: active ? progress : null };
    // What it became is not in the event: chosen step, answers, scores.
    if (ended || chosen) this.#load();
  }
}
