// Run service: the runs of a home. Starts and resumes them one at a time, hears what is asked of the one that goes on in
// this process, and keeps the list: rename, compare, delete and bring back.
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import type { RunDetails } from '../../shared/api.ts';
import { isCard } from '../../shared/device.ts';
import type { EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Row } from '../../shared/row.ts';
import type { OnRunEvent, RunResult } from '../../shared/run-events.ts';
import { resumableStatuses, type CheckpointScores, type DeletedRun, type RunDifference, type RunFacts, type RunSummary, type ScoredProbe } from '../../shared/run.ts';
import { diskError, folderBytes, onDisk, writeWhole } from '../disk.ts';
import type { Home } from '../home.ts';
import { countScore } from '../pipeline/probes.ts';
import type { RunRecord, RunStore } from '../store/runs.ts';
import { refuseOtherShape } from './built-in-adapter.ts';
import { settleChoices } from './choice.ts';
import { requireCard } from './graphics.ts';
import { LiveRun, type ComputeOptions } from './live-run.ts';
import type { ModelService } from './model.ts';
import { engineOf } from './provenance.ts';
import { refuseUnsupported } from './recipe.ts';
import { recover } from './recovery.ts';
import type { RowsService } from './rows.ts';
import { runDifferences } from './run-diff.ts';
import { keepInputs } from './run-inputs.ts';
import { checkGivenRows, rowLines } from './step-source.ts';
import { asTrainer, whileFree } from './trainer-lock.ts';
import { bringBack, moveToTrash, tidy, UNDELETE_MS } from './trash.ts';
import type { Wish } from './wishes.ts';

export type { ComputeOptions } from './live-run.ts';

function newRunId(): string {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${time}-${randomBytes(3).toString('hex')}`;
}

/** Does what a disk that is full or not writable may keep from being done: the next process tries again. */
function ifWritable(home: Home, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (diskError(error, home.folder)?.code.startsWith('disk.') !== true) throw error;
  }
}

/** What lists show of a run. */
export function summaryOf({ run, name, status, step, steps, created_at, error, chosen_step }: RunSummary): RunSummary {
  return { run, name, status, step, steps, created_at, error, chosen_step };
}

export class RunService {
  readonly #home: Home;
  readonly #store: RunStore;
  readonly #models: ModelService;
  readonly #rows: RowsService;
  readonly #startEngine: () => EngineClient;
  #live: LiveRun | null = null;
  #idle: Promise<void> = Promise.resolve();

  /** Also empties the trash of what can no longer be brought back, and sets right what a process that died left half-done. */
  constructor(home: Home, store: RunStore, models: ModelService, rows: RowsService, startEngine: () => EngineClient) {
    this.#home = home;
    this.#store = store;
    this.#models = models;
    this.#rows = rows;
    this.#startEngine = startEngine;
    ifWritable(home, () => tidy(home, store));
    if (store.choosing().length > 0) ifWritable(home, () => whileFree(home, () => settleChoices(home, store)));
  }

  /** The run that goes on in this process. */
  get active(): string | null {
    return this.#live !== null && !this.#live.over ? this.#live.id : null;
  }

  /** Resolves when no run goes on in this process and its engine has ended. */
  idle(): Promise<void> {
    return this.#idle;
  }

  /** The run that goes on in this or another process of the home; null where there is none. */
  going(): string | null {
    this.#markInterrupted();
    return this.#store.active;
  }

  /** All runs, newest first. Runs whose process died are marked interrupted first. */
  list(): RunRecord[] {
    this.#markInterrupted();
    return this.#store.list();
  }

  /** Throws run.unknown, for deleted runs too. */
  get(id: string): RunRecord {
    this.#markInterrupted();
    return this.#store.get(id);
  }

  /** What the list of assistants shows of every run beside its state, newest first. */
  facts(): RunFacts[] {
    const verdicts = this.#store.chosenVerdicts();
    return this.#store.list().map(({ run, recipe }) => ({
      run,
      model: recipe.model.ref,
      languages: recipe.data.persona?.languages ?? [],
      score: countScore(verdicts.get(run) ?? []),
      bytes_on_disk: folderBytes(this.#home.run(run).folder),
    }));
  }

  /** Deleted runs that can be brought back, the last one first. */
  deleted(): DeletedRun[] {
    return this.#store
      .deletedNames()
      .map(({ run, name, at }) => ({ run, name, until: new Date(at.getTime() + UNDELETE_MS) }))
      .filter(({ until }) => until.getTime() > Date.now())
      .map((deleted) => ({ ...deleted, until: deleted.until.toISOString() }));
  }

  /** What was measured of a run: evaluated and saved checkpoints (step 0 is the base), and every step. */
  measured(id: string): { checkpoints: CheckpointScores[]; metrics: ReturnType<RunStore['metrics']> } {
    return { checkpoints: this.#store.checkpoints(id), metrics: this.#store.metrics(id) };
  }

  /** Every step behind `after`, in order. Throws run.unknown. */
  metrics(id: string, after: number): ReturnType<RunStore['metrics']> {
    return this.#store.metrics(this.#store.get(id).run, after);
  }

  /** What was asked and answered at a step (0 = the base), with its verdicts; none where it was not evaluated. Throws run.unknown. */
  probes(id: string, step: number): ScoredProbe[] {
    return this.#store.probes(this.#store.get(id).run, step);
  }

  /** All that a screen shows of a run, whether it goes on here, elsewhere or no more. Throws run.unknown. */
  details(id: string): RunDetails {
    const record = this.get(id);
    const { folder } = this.#home.run(id);
    const { bavail, bsize } = statfsSync(this.#home.folder);
    return {
      ...summaryOf(record),
      recipe: record.recipe,
      error_detail: record.error_detail,
      error_params: record.error_params,
      ...this.measured(id),
      engine: engineOf(this.#home.run(id)),
      phase: record.progress,
      right: record.result?.right ?? null,
      missed: record.result?.missed ?? [],
      before: record.result?.before ?? [],
      after: record.result?.after ?? [],
      folder,
      bytes_on_disk: folderBytes(folder),
      free_disk_bytes: bavail * bsize,
    };
  }

  /** Saves a checkpoint after the present step and pauses: nothing is lost or decided. Throws run.unknown or run.not_active. */
  pause(id: string): void {
    this.#ask(id, 'pause');
  }

  /**
   * Stop and keep: saves a checkpoint after the present step and ends the run with the best adapter so far. Before the first
   * checkpoint there is nothing to keep: then it is thrown away. Throws run.unknown or run.not_active.
   */
  stop(id: string): void {
    this.#ask(id, 'stop');
  }

  /** Throws the run away: its folder goes, its line in the list stays. Throws run.unknown or run.not_active. */
  cancel(id: string): void {
    this.#ask(id, 'cancel');
  }

  #ask(id: string, wish: Wish): void {
    if (this.active !== id) {
      this.#store.get(id);
      throw new NamesakeError('run.not_active', id, { run: id });
    }
    this.#live?.ask(wish);
  }

  /**
   * Trains a recipe to its end; `rows` are the rows where the person prepared them (rows of origin `base` without an answer
   * are answered by the base model). The first event says the run's id. Throws by code: the run then is `failed`, or there
   * is none (recipe.unsupported, recipe.invalid, gpu.* without a card that works, engine.busy, disk.full, …); `cancelled` where it was paused
   * or thrown away.
   */
  async start(recipe: Recipe, compute: ComputeOptions, onEvent: OnRunEvent, rows?: readonly Row[]): Promise<RunResult> {
    refuseUnsupported(recipe);
    refuseOtherShape(recipe);
    if (rows !== undefined) checkGivenRows(recipe, rows);
    return this.#asTrainer(async () => {
      await this.#requireDevice(recipe);
      const id = newRunId();
      const folder = this.#home.run(id);
      try {
        onDisk(folder.folder, () => {
          mkdirSync(folder.checkpoints, { recursive: true });
          writeWhole(folder.recipe, `${JSON.stringify(recipe, null, 2)}\n`);
          if (rows !== undefined) {
            writeWhole(folder.draft, rowLines(rows));
            // While its model is fetched and asked, the draft may change or go, and its questions with it.
            keepInputs(folder, recipe);
          }
          this.#store.create(id, recipe);
        });
      } catch (error) {
        rmSync(folder.folder, { recursive: true, force: true });
        throw error;
      }
      return this.#run(id, recipe, compute, onEvent, []);
    });
  }

  /**
   * Goes on with a run from its last checkpoint, bit for bit, or from its beginning where it has none yet; on another `device`
   * than its recipe's where one is given, as when its card is gone. The first event says the run's id. Throws run.unknown,
   * run.not_resumable, run.no_checkpoint (its folder is gone), engine.busy, and what `start` throws.
   */
  async resume(id: string, compute: ComputeOptions, onEvent: OnRunEvent, device?: Recipe['device']): Promise<RunResult> {
    return this.#asTrainer(async () => {
      const { status, recipe: begun } = this.#store.get(id);
      if (!resumableStatuses.includes(status)) {
        throw new NamesakeError('run.not_resumable', status, { run: id, status });
      }
      const recipe = { ...begun, device: device ?? begun.device };
      await this.#requireDevice(recipe);
      const checkpoints = onDisk(this.#home.folder, () => {
        const found = recover(this.#store, id, this.#home.run(id));
        this.#store.setStatus(id, 'preparing');
        return found;
      });
      return this.#run(id, recipe, compute, onEvent, checkpoints);
    });
  }

  /** Gives a run another name. Throws run.unknown. */
  rename(id: string, name: string): void {
    this.#store.rename(id, name);
  }

  /** In which fields the recipes of two runs, and what they were made from, differ. Throws run.unknown. */
  diff(a: string, b: string): RunDifference[] {
    const compared = (id: string): Parameters<typeof runDifferences>[0] => ({
      recipe: this.#store.get(id).recipe,
      folder: this.#home.run(id),
    });
    return runDifferences(compared(a), compared(b));
  }

  /** Deletes a run; for ten minutes it can be brought back. Throws run.unknown, or run.active where it goes on. */
  delete(id: string): void {
    this.#markInterrupted();
    onDisk(this.#home.folder, () => moveToTrash(this.#home, this.#store, id));
    ifWritable(this.#home, () => tidy(this.#home, this.#store));
  }

  /** Brings a run back that was deleted within the last ten minutes. Throws run.unknown. */
  undelete(id: string): void {
    onDisk(this.#home.folder, () => bringBack(this.#home, this.#store, id));
  }

  /** A run that claims to go on while nobody trains lost its process. */
  #markInterrupted(): void {
    if (this.active !== null || !this.#store.anyActive) return;
    ifWritable(this.#home, () => whileFree(this.#home, () => this.#store.markInterrupted()));
  }

  /** A card is looked for before anything is written: without one there is no run. */
  async #requireDevice({ device }: Recipe): Promise<void> {
    if (isCard(device)) await requireCard(this.#startEngine, device);
  }

  async #asTrainer(body: () => Promise<RunResult>): Promise<RunResult> {
    return asTrainer(this.#home, () => {
      onDisk(this.#home.folder, () => this.#store.markInterrupted());
      return body();
    });
  }

  async #run(id: string, recipe: Recipe, compute: ComputeOptions, onEvent: OnRunEvent, checkpoints: number[]): Promise<RunResult> {
    const live = (this.#live = new LiveRun({
      id,
      home: this.#home,
      folder: this.#home.run(id),
      recipe,
      compute,
      checkpoints,
      store: this.#store,
      models: this.#models,
      rows: this.#rows,
      startEngine: this.#startEngine,
      onEvent,
    }));
    try {
      onEvent({ event: 'run', run: id });
      onEvent({ event: 'status', status: 'preparing' });
      const result = live.run();
      this.#idle = result.then(
        () => undefined,
        () => undefined,
      );
      return await result;
    } finally {
      this.#live = null;
    }
  }
}
