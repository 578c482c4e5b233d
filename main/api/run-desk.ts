// Run desk: the run that goes on, whoever looks. A run of this process is kept here while it lives, with no window at all; one
// of another process of the same home is followed in the database while windows listen.
import { existsSync } from 'node:fs';
import type { ApiEvent, RunProgress } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { OnRunEvent, RunEvent } from '../../shared/run-events.ts';
import { activeStatuses, type RunSummary } from '../../shared/run.ts';
import type { Core } from '../core.ts';
import { traceOf } from '../log.ts';
import { summaryOf } from '../services/run.ts';

const WATCH_MS = 1000;

/** What windows were last told of a run that goes on. */
interface Told {
  summary: RunSummary;
  progress: RunProgress | null;
}

/** A run of another process. */
interface Followed extends Told {
  /** Scores as they were told, by step. */
  scored: Map<number, string>;
}

export class RunDesk {
  readonly #core: Core;
  readonly #tell: (event: ApiEvent) => void;
  #own: Told | null = null;
  #followed: Followed | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ended: Promise<void> = Promise.resolve();
  #ending: 'pause' | 'cancel' | null = null;
  #closed = false;

  constructor(core: Core, tell: (event: ApiEvent) => void) {
    this.#core = core;
    this.#tell = tell;
  }

  /** The run that this process trains. */
  get own(): string | null {
    return this.#own?.summary.run ?? null;
  }

  /** Pauses the own run, begins no other, and settles when that is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.watch(false);
    await this.end('pause');
  }

  /** Ends the own run, if any, and settles when everyone was told. */
  async end(how: 'pause' | 'cancel'): Promise<void> {
    const { runs } = this.#core;
    this.#ending = how;
    try {
      // One that has just come to its end by itself is no longer active; one that is about to begin hears it then.
      if (runs.active !== null) runs[how](runs.active);
      await this.#ended;
    } finally {
      this.#ending = null;
    }
  }

  /**
   * Begins to train in the background and gives the run's id as soon as it has one. Throws what prevents that; what fails
   * later is the run's own state.
   */
  begin(work: (onEvent: OnRunEvent) => Promise<unknown>): Promise<string> {
    if (this.#closed) throw new NamesakeError('cancelled', 'the program is about to end');
    return new Promise((resolve, reject) => {
      let begun: string | null = null;
      const onEvent: OnRunEvent = (event) => {
        if (event.event === 'run') {
          begun = event.run;
          this.#own = { summary: summaryOf(this.#core.runs.get(event.run)), progress: null };
          this.#tell({ event: 'runs' });
          if (this.#ending !== null) this.#core.runs[this.#ending](event.run);
          resolve(event.run);
        } else this.#safely(() => this.#hear(event));
      };
      const settle = (error?: unknown): void => {
        // Means nothing where the run's id was given already.
        if (error !== undefined) reject(error as Error);
        if (begun !== null && error !== undefined && !(error instanceof NamesakeError)) {
          this.#core.log.error({ run: begun, ...traceOf(error) }, 'a run failed unexpectedly');
        }
        if (this.#own?.summary.run !== begun) return;
        this.#safely(() => this.#refresh());
        this.#own = null;
        this.#tell({ event: 'runs' });
      };
      // Another start while a run goes on ends before it: that one is still waited for.
      this.#ended = Promise.all([this.#ended, work(onEvent).then(() => settle(), settle)]).then(() => undefined);
    });
  }

  /** Training must not end because its state could not be read for those who look on. */
  #safely(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#core.log.warn(traceOf(error), 'a run could not be followed');
    }
  }

  #hear(event: RunEvent): void {
    const own = this.#own;
    if (own === null) return;
    const { run } = own.summary;
    switch (event.event) {
      case 'phase':
        own.progress = { phase: event.phase, done: event.done ?? null, total: event.total ?? null, eta_seconds: null };
        return this.#refresh();
      case 'step': {
        const { event: _event, eta_seconds, ...metric } = event;
        own.summary = { ...own.summary, step: metric.step };
        own.progress = { phase: 'training', done: metric.step, total: own.summary.steps, eta_seconds };
        this.#tell({ event: 'steps', run, after: metric.step - 1, steps: [metric] });
        return this.#tellRun(own);
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

  /** Reads the own run's state and tells it; one that went back to a checkpoint says so first. */
  #refresh(): void {
    if (this.#own === null) return;
    const { run, step } = this.#own.summary;
    const record = this.#core.runs.get(run);
    this.#own.summary = summaryOf(record);
    if (!activeStatuses.includes(record.status)) this.#own.progress = null;
    if (record.step < step) this.#tell({ event: 'steps', run, after: record.step, steps: [] });
    this.#tellRun(this.#own);
  }

  #tellRun({ summary, progress }: Told): void {
    this.#tell({ event: 'run', ...summary, progress });
  }

  /** A run's name has changed, or its line in the list: tells what it is now. Throws run.unknown. */
  changed(run: string): void {
    const { progress, ...record } = this.#core.runs.get(run);
    if (this.#own?.summary.run === run) this.#own.summary = summaryOf(record);
    this.#tellRun({ summary: summaryOf(record), progress: this.#own?.summary.run === run ? this.#own.progress : progress });
    this.#tell({ event: 'runs' });
  }

  /** Follows runs of other processes from now on, or no more. */
  watch(on: boolean): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => this.#look(), WATCH_MS).unref() : null;
    this.#followed = null;
    if (on) this.#look();
  }

  #look(): void {
    const followed = this.#followed;
    // Where this fails (a run that was deleted, say), the next look finds what there is.
    this.#followed = null;
    this.#safely(() => {
      if (this.#own !== null) return;
      if (followed !== null) this.#follow(followed);
      else if (existsSync(this.#core.home.trainerLock)) this.#discover();
    });
  }

  #discover(): void {
    const run = this.#core.runs.going();
    if (run === null) return;
    const { progress, ...record } = this.#core.runs.get(run);
    this.#followed = { summary: summaryOf(record), progress, scored: new Map() };
    this.#tell({ event: 'runs' });
    this.#tellScores(this.#followed);
    this.#tellRun(this.#followed);
  }

  /** Tells what is new since the last look: steps and scores before the state that they led to. */
  #follow(followed: Followed): void {
    const before = followed.summary;
    const { progress, ...record } = this.#core.runs.get(before.run);
    const summary = summaryOf(record);
    const after = Math.min(before.step, summary.step);
    const steps = summary.step > after ? this.#core.runs.metrics(before.run, after) : [];
    // A step that came in since the state was read is told with the next one.
    const known = steps.filter(({ step }) => step <= summary.step);
    if (known.length > 0 || summary.step < before.step) this.#tell({ event: 'steps', run: before.run, after, steps: known });
    const changed = JSON.stringify([summary, progress]) !== JSON.stringify([before, followed.progress]);
    Object.assign(followed, { summary, progress });
    this.#tellScores(followed);
    if (changed) this.#tellRun(followed);
    if (activeStatuses.includes(summary.status)) this.#followed = followed;
    else this.#tell({ event: 'runs' });
  }

  #tellScores({ summary: { run }, scored }: Followed): void {
    for (const { step, scores } of this.#core.runs.measured(run).checkpoints) {
      const text = JSON.stringify(scores);
      if (scores === null || scored.get(step) === text) continue;
      scored.set(step, text);
      this.#tell({ event: 'probe', run, step, scores });
    }
  }
}
