// Run probes: what a run was asked at its checks and what it answered, read step by step as a screen wants it.
import type { ScoredProbe } from '../../shared/run.ts';
import type { RunSource } from './run-watch.ts';

/** Steps that are kept, those wanted last: what a screen shows is a few, and a long run is checked a thousand times. */
export const MOST_STEPS = 24;

export class RunProbes {
  readonly #api: RunSource;
  readonly #run: string;
  readonly #unsubscribe: (() => void)[];
  #wanted: readonly number[] = [];
  #steps = $state.raw<Readonly<Record<number, readonly ScoredProbe[]>>>({});

  /** The probes of run `run` until `close`. */
  constructor(api: RunSource, run: string) {
    this.#api = api;
    this.#run = run;
    this.#unsubscribe = [
      api.on('probe', (event) => {
        // A run that went back to a checkpoint is asked again.
        if (event.run === run && this.#wanted.includes(event.step)) void this.#read(event.step);
      }),
      api.on('lost', () => this.#wanted.forEach((step) => void this.#read(step))),
    ];
  }

  /** The questions of a step with answers and verdicts; null before they have come. `want` asks for them. */
  at(step: number): readonly ScoredProbe[] | null {
    return this.#steps[step] ?? null;
  }

  /** Reads steps that were not read yet, and forgets what nobody has wanted for long. */
  want(steps: Iterable<number>): void {
    for (const step of steps) {
      const known = this.#wanted.includes(step);
      this.#wanted = [...this.#wanted.filter((one) => one !== step), step].slice(-MOST_STEPS);
      if (!known) void this.#read(step);
    }
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async #read(step: number): Promise<void> {
    try {
      const probes = await this.#api.request('runs.probes', { run: this.#run, step });
      const kept = Object.entries(this.#steps).filter(([one]) => this.#wanted.includes(Number(one)));
      this.#steps = { ...Object.fromEntries(kept), [step]: probes };
    } catch {
      // Scores without their questions are shown all the same. Whoever wants the step again asks anew.
      this.#wanted = this.#wanted.filter((wanted) => wanted !== step);
    }
  }
}
