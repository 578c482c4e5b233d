// A run as a window sees it, over connections that break at any moment: it must have the whole curve, always.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ApiEvent, RequestInput, RequestName, RequestResult, StoredMetric } from '../../shared/api.ts';
import type { Random } from '../../main/pipeline/random.ts';
import { withPart } from '../../shared/curve.ts';
import { recipeSchema } from '../../shared/recipe.ts';

const endStatuses: readonly string[] = ['done', 'failed', 'cancelled', 'stopped', 'interrupted', 'paused'];

/** A window's connection to the core, over whichever door. */
export interface WindowConnection {
  request<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>>;
  /** Hears events from now on. */
  onEvents(listener: (events: ApiEvent[]) => void): void;
}

/** Starts a run of `steps` small steps on a model of the list with nothing to evaluate; its id. */
export async function startSmallRun(window: WindowConnection, model: string, steps: number): Promise<string> {
  const { draft, recipe } = await window.request('drafts.create', {
    persona: { owner: 'Ann', name: 'Bo', languages: ['en'] },
    model,
    seed: 7,
    device: 'cpu',
  });
  const small = recipeSchema.parse({
    ...recipe,
    data: { ...recipe.data, max_length: 256, mix: { ...recipe.data.mix, ordinary: 0, near_misses: false, negatives: false } },
    loss: { by_kind: null, kl: 0, opening: null },
    evaluate: null,
    checkpoint: { every_steps: 10, keep: 2 },
    batch_tokens: 256,
    steps,
  });
  await window.request('drafts.change', { draft, recipe: small });
  return (await window.request('runs.start', { draft })).run;
}

/**
 * Watches a run as a page does: its state first, then what events add. `curve` holds every step once at every moment; an event
 * that leaves a gap, or one that doubles a step, fails the test.
 */
export class WatchedRun {
  curve: StoredMetric[] = [];
  status = '';
  /** How often events were lost, and the state was read again. */
  lost = 0;
  readonly run: string;
  readonly #window: WindowConnection;
  #loading: Promise<void> | null = null;
  #early: ApiEvent[] = [];

  constructor(window: WindowConnection, run: string) {
    this.#window = window;
    this.run = run;
    window.onEvents((events) => {
      for (const event of events) this.#take(event);
    });
  }

  /** Reads the whole state. */
  async load(): Promise<void> {
    this.#loading ??= (async () => {
      const { metrics, status } = await this.#window.request('runs.get', { run: this.run });
      this.curve = metrics;
      this.status = status;
      this.#check();
      this.#loading = null;
      for (const event of this.#early.splice(0)) this.#take(event);
    })();
    return this.#loading;
  }

  #take(event: ApiEvent): void {
    if (this.#loading !== null) {
      this.#early.push(event);
      return;
    }
    if (event.event === 'lost') {
      this.lost += 1;
      void this.load();
    } else if (event.event === 'run' && event.run === this.run) this.status = event.status;
    else if (event.event === 'steps' && event.run === this.run) {
      const next = withPart(this.curve, event);
      if (next === null) throw new Error(`a gap: ${this.curve.length} steps, then those after ${event.after}`);
      this.curve = next;
      this.#check();
    }
  }

  #check(): void {
    expect(this.curve.map(({ step }) => step)).toEqual(this.curve.map((_, i) => i + 1));
  }
}

/** Waits until the window has step `step`, or the run has ended. */
export async function reached(watched: WatchedRun, step: number): Promise<void> {
  while (watched.curve.length < step && !endStatuses.includes(watched.status)) await sleep(5);
}

/** Steps at random all over a run, one for each cycle, in order. */
export function momentsOf(steps: number, cycles: number, random: Random): number[] {
  return Array.from({ length: cycles }, (_, cycle) => Math.floor(((cycle + random.next()) / cycles) * steps));
}
