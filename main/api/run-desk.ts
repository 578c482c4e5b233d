// Run desk: the run that goes on, whoever looks. A run of this process is kept here while it lives, with no window at all; one
// of another process of the same home is followed in the database while windows listen.
import { existsSync } from 'node:fs';
import type { ApiEvent, RunProgress } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { OnRunEvent, RunEvent } from '../../shared/run-events.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { Core } from '../core.ts';
import { traceOf } from '../log.ts';
import { summaryOf } from './run-details.ts';

const WATCH_MS = 1000;

interface Active {
  summary: RunSummary;
  progress: RunProgress | null;
  /** Settles when the run has ended and everyone was told. */
  ended: Promise<void>;
}

/** A run of another process, and what windows were told of it. */
interface Watched {
  summary: RunSummary;
  scored: Map<number, string>;
}

export class RunDesk {
  readonly #core: Core;
  readonly #tell: (event: ApiEvent) => void;
  #active: Active | null = null;
  #watched: Watched | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(core: Core, tell: (event: ApiEvent) => void) {
    this.#core = core;
    this.#tell = tell;
  }

  /** The run that this process trains. */
  get active(): string | null {
    return this.#active?.summary.run ?? null;
  }

  /** What a run is doing, where this process trains it. */
  progressOf(run: string): RunProgress | null {
    return this.#active?.summary.run === run ? this.#active.progress : null;
  }

  /** Settles when this process trains nothing any more. */
  async ended(): Promise<void> {
    await this.#active?.ended;
  }

  /**
   * Begins to train in the background and gives the run's id as soon as it has one. Throws what prevents that; what fails
   * later is the run's own state.
   */
  begin(work: (onEvent: OnRunEvent) => Promise<unknown>): Promise<string> {
    return new Promise((resolve, reject) => {
      let run: string | null = null;
      const ended = work((event) => {
        if (event.event === 'run') {
          run = event.run;
          this.#active = { summary: summaryOf(this.#core.runs.get(run)), progress: null, ended };
          this.#tell({ event: 'runs' });
          this.#tellRun();
          resolve(run);
        } else this.#hear(event);
      })
        .catch((error: unknown) => {
          if (run === null) reject(error);
          else if (!(error instanceof NamesakeError)) this.#core.log.error({ run, ...traceOf(error) }, 'a run failed unexpectedly');
        })
        .then(() => {
          if (this.#active?.summary.run !== run) return;
          this.#active.progress = null;
          this.#refresh();
          this.#active = null;
          this.#tell({ event: 'runs' });
        });
    });
  }

  #hear(event: RunEvent): void {
    const active = this.#active;
    if (active === null) return;
    const { run } = active.summary;
    switch (event.event) {
      case 'phase':
        active.progress = { phase: event.phase, done: event.done ?? null, total: event.total ?? null, eta_seconds: null };
        return this.#refresh();
      case 'step': {
        const { event: _event, eta_seconds, ...metric } = event;
        active.summary = { ...active.summary, step: metric.step };
        active.progress = { phase: 'training', done: metric.step, total: active.summary.steps, eta_seconds };
        this.#tell({ event: 'steps', run, after: metric.step - 1, steps: [metric] });
        return this.#tellRun();
      }
      case 'probe':
        return this.#tell({ event: 'probe', run, step: event.step, scores: event.scores });
      case 'warning':
        return this.#tell({ ...event, run });
      case 'run':
      case 'status':
      case 'result':
        return this.#refresh();
    }
  }

  /** Reads the run's state and tells it; one that went back to a checkpoint says so first. */
  #refresh(): void {
    if (this.#active === null) return;
    const { run, step } = this.#active.summary;
    this.#active.summary = summaryOf(this.#core.runs.get(run));
    if (this.#active.summary.step < step) this.#tell({ event: 'steps', run, after: this.#active.summary.step, steps: [] });
    this.#tellRun();
  }

  #tellRun(): void {
    if (this.#active !== null) this.#tell({ event: 'run', ...this.#active.summary, progress: this.#active.progress });
  }

  /** Follows runs of other processes from now on, or no more. */
  watch(on: boolean): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => this.#poll(), WATCH_MS).unref() : null;
    this.#watched = null;
    if (on) this.#poll();
  }

  #poll(): void {
    try {
      if (this.#active !== null) this.#watched = null;
      else if (this.#watched !== null) this.#follow(this.#watched);
      else if (existsSync(this.#core.home.trainerLock)) this.#discover();
    } catch (error) {
      // A database that is busy or gone for a moment is asked again; windows see the run's state as it was.
      this.#core.log.warn(traceOf(error), 'a run could not be followed');
    }
  }

  #discover(): void {
    const going = this.#core.runs.list().find(({ status }) => status === 'running' || status === 'preparing');
    if (going === undefined) return;
    const summary = summaryOf(going);
    this.#watched = { summary, scored: new Map() };
    this.#tell({ event: 'runs' });
    this.#tellProbes(this.#watched);
    this.#tell({ event: 'run', ...summary, progress: null });
  }

  /** Tells what is new since the last look, steps and scores before the status that they led to. */
  #follow(watched: Watched): void {
    const told = watched.summary;
    // The status is read first: steps that come in between are told next time, never left out.
    const summary = summaryOf(this.#core.runs.get(told.run));
    watched.summary = summary;
    const after = Math.min(told.step, summary.step);
    const steps = this.#core.runs.measured(told.run).metrics.filter(({ step }) => step > after && step <= summary.step);
    if (steps.length > 0 || summary.step < told.step) this.#tell({ event: 'steps', run: told.run, after, steps });
    this.#tellProbes(watched);
    if (JSON.stringify(summary) !== JSON.stringify(told)) this.#tell({ event: 'run', ...summary, progress: null });
    if (summary.status === 'running' || summary.status === 'preparing') return;
    this.#watched = null;
    this.#tell({ event: 'runs' });
  }

  #tellProbes({ summary: { run }, scored }: Watched): void {
    for (const { step, scores } of this.#core.runs.measured(run).checkpoints) {
      const text = JSON.stringify(scores);
      if (scores === null || scored.get(step) === text) continue;
      scored.set(step, text);
      this.#tell({ event: 'probe', run, step, scores });
    }
  }
}
