// Two runs: their curves, their scores, and in what their recipes differ, to be looked at side by side.
import type { RunDetails } from '../../../shared/api.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { RunDifference } from '../../../shared/run.ts';
import type { App } from '../../state/app.svelte.ts';
import type { LossCurve } from '../../ui/loss-data.ts';

export interface TwoRunsShown {
  a: RunDetails;
  b: RunDetails;
  differences: readonly RunDifference[];
}

export class TwoRuns {
  readonly #api: Pick<App['api'], 'request'>;
  readonly #ids: readonly [string, string];
  #shown = $state.raw<TwoRunsShown | null>(null);
  #error = $state.raw<NamesakeError | null>(null);

  constructor(api: Pick<App['api'], 'request'>, a: string, b: string) {
    this.#api = api;
    this.#ids = [a, b];
    void this.load();
  }

  /** null before they came. */
  get shown(): TwoRunsShown | null {
    return this.#shown;
  }

  /** Why they cannot be had. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    const [a, b] = this.#ids;
    this.#error = null;
    try {
      const [first, second, differences] = await Promise.all([
        this.#api.request('runs.get', { run: a }),
        this.#api.request('runs.get', { run: b }),
        this.#api.request('runs.diff', { a, b }),
      ]);
      // Their names stand over the columns, and are no reason for anything.
      this.#shown = { a: first, b: second, differences: differences.filter(({ field }) => field !== 'name') };
    } catch (error) {
      this.#error = toNamesakeError(error);
    }
  }
}

/** Both curves under names of their own: two assistants may have the same one. */
export function curvesOf({ a, b }: Pick<TwoRunsShown, 'a' | 'b'>, unnamed: (run: RunDetails) => string): LossCurve[] {
  const named = (run: RunDetails): string => (a.name === b.name ? `${run.name} (${unnamed(run)})` : run.name);
  return [a, b].map((run) => ({ name: named(run), points: run.metrics }));
}
