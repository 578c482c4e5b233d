// Run service: the life of a run, from recipe to chosen adapter. Every change reaches the disk before the database.
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import type { OnRunEvent, Phase, RunResult } from '../../shared/run-events.ts';
import type { EngineClient, OpenOptions } from '../../shared/engine.ts';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { resumableStatuses, type CheckpointScores } from '../../shared/run.ts';
import { diskError, writeWhole } from '../disk.ts';
import type { Home, RunFolder } from '../home.ts';
import { planSteps, stepToBatches, tokenBatchToBatch } from '../pipeline/rows-to-batches.ts';
import type { RunRecord, RunStore } from '../store/runs.ts';
import { Evaluation } from './evaluation.ts';
import { loadEvaluationProbes } from './probe-file.ts';
import type { LocalModel, ModelService } from './model.ts';
import { changeOfEngine, checkSameModel, writeProvenance } from './provenance.ts';
import { personaOf, type RowsService } from './rows.ts';
import { refuseUnsupported } from './recipe.ts';
import { Session, type StepSource } from './session.ts';
import { asTrainer, whileFree } from './trainer-lock.ts';
import { readTokens, writeTokens } from './token-file.ts';

/** How the engine host is to compute; the recipe adds device and precision. */
export type ComputeOptions = Pick<OpenOptions, 'threads' | 'isa'>;

/** Phases in which the model answers questions. */
const ASKING: readonly Phase[] = ['asking', 'checking', 'comparing'];

function newRunId(): string {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${time}-${randomBytes(3).toString('hex')}`;
}

export class RunService {
  readonly #home: Home;
  readonly #store: RunStore;
  readonly #models: ModelService;
  readonly #rows: RowsService;
  readonly #startEngine: () => EngineClient;
  #session: Session | null = null;
  #engine: EngineClient | null = null;
  #phase: Phase = 'preparing';
  #stopping = false;

  constructor(home: Home, store: RunStore, models: ModelService, rows: RowsService, startEngine: () => EngineClient) {
    this.#home = home;
    this.#store = store;
    this.#models = models;
    this.#rows = rows;
    this.#startEngine = startEngine;
  }

  /** All runs, newest first. Runs whose process died are marked interrupted first. */
  list(): RunRecord[] {
    whileFree(this.#home, () => this.#store.markInterrupted());
    return this.#store.list();
  }

  /** Throws run.unknown. */
  get(id: string): RunRecord {
    whileFree(this.#home, () => this.#store.markInterrupted());
    return this.#store.get(id);
  }

  /** What was measured of a run: evaluated and saved checkpoints (step 0 is the base), and every step. */
  measured(id: string): { checkpoints: CheckpointScores[]; metrics: ReturnType<RunStore['metrics']> } {
    return { checkpoints: this.#store.checkpoints(id), metrics: this.#store.metrics(id) };
  }

  /** Stop and keep: the run saves a checkpoint after the present step and ends with the best adapter so far. */
  stop(): void {
    this.#stopping = true;
    this.#session?.stop();
    // A step is short and finishes; asking the model is cut off.
    if (ASKING.includes(this.#phase)) void this.#engine?.cancel().catch(() => undefined);
  }

  /** Trains a recipe to its end. Throws by code; the run then is `failed` (or `cancelled` where there was nothing to keep). */
  async start(recipe: Recipe, compute: ComputeOptions, onEvent: OnRunEvent): Promise<RunResult> {
    refuseUnsupported(recipe);
    return asTrainer(this.#home, async () => {
      this.#store.markInterrupted();
      const id = newRunId();
      const folder = this.#home.run(id);
      try {
        mkdirSync(folder.checkpoints, { recursive: true });
        writeWhole(folder.recipe, `${JSON.stringify(recipe, null, 2)}\n`);
        this.#store.create(id, recipe);
      } catch (error) {
        rmSync(folder.folder, { recursive: true, force: true });
        throw diskError(error, folder.folder) ?? error;
      }
      onEvent({ event: 'run', run: id });
      return this.#live(id, folder, recipe, compute, onEvent, 0);
    });
  }

  /** Goes on with a run from its last checkpoint, bit for bit. Throws run.unknown, run.not_resumable, run.no_checkpoint. */
  async resume(id: string, compute: ComputeOptions, onEvent: OnRunEvent): Promise<RunResult> {
    return asTrainer(this.#home, async () => {
      this.#store.markInterrupted();
      const record = this.#store.get(id);
      if (!resumableStatuses.includes(record.status)) {
        throw new NamesakeError('run.not_resumable', record.status, { run: id, status: record.status });
      }
      const last = this.#store.checkpoints(id).findLast(({ kept }) => kept);
      if (last === undefined) throw new NamesakeError('run.no_checkpoint', 'no checkpoint was saved', { run: id });
      onEvent({ event: 'run', run: id });
      return this.#live(id, this.#home.run(id), record.recipe, compute, onEvent, last.step);
    });
  }

  /** One engine, one training, whatever happens: the status at the end says how it went. */
  async #live(
    id: string,
    folder: RunFolder,
    recipe: Recipe,
    compute: ComputeOptions,
    onEvent: OnRunEvent,
    from: number,
  ): Promise<RunResult> {
    const phase = (name: Phase, done?: number, total?: number): void => {
      // Before the first step there is nothing to keep yet.
      if (this.#stopping && name === 'asking') throw new NamesakeError('cancelled', 'while the base model was asked');
      this.#phase = name;
      onEvent({ event: 'phase', phase: name, ...(done === undefined || total === undefined ? {} : { done, total }) });
    };
    try {
      phase('fetching');
      const model = await this.#models.locate(recipe.model.ref);
      if (from > 0) checkSameModel(folder, model);
      // From here on: a download says nothing about how long making an assistant takes.
      const started = performance.now();
      phase('loading');
      const engine = (this.#engine = this.#startEngine());
      const info = await engine.open({
        path: model.path,
        precision: recipe.model.precision,
        device: recipe.device,
        ...compute,
      });
      const change = from > 0 ? changeOfEngine(folder, info) : null;
      if (change !== null) onEvent({ event: 'warning', warning: 'resumed_elsewhere', ...change });
      const steps = await this.#stepSource(id, folder, recipe, model, engine, from, phase);
      if (from === 0) writeProvenance(folder, model, info, recipe);
      const evaluation = this.#evaluation(recipe, engine);
      const session = (this.#session = new Session({
        id,
        folder,
        recipe: { ...recipe, steps: steps.count },
        model,
        engine,
        steps,
        started,
        evaluation,
        store: this.#store,
        rows: this.#rows,
        onEvent,
        phase,
      }));
      this.#store.setSteps(id, steps.count);
      if (this.#stopping) session.stop();
      const result = await session.run(from);
      onEvent({ event: 'result', ...result });
      return result;
    } catch (error) {
      throw this.#record(id, folder, diskError(error, folder.folder) ?? toNamesakeError(error));
    } finally {
      await this.#engine?.dispose();
      this.#engine = null;
      this.#session = null;
    }
  }

  /** Writes how a run ended that did not reach its end. A run that was cancelled before its first checkpoint is thrown away. */
  #record(id: string, folder: RunFolder, error: NamesakeError): NamesakeError {
    // A signal to all processes ends the engine too. Any other failure stays one, whoever asked to stop.
    const cancelled = error.code === 'cancelled' || (this.#stopping && error.code === 'engine.crashed');
    try {
      const kept = this.#store.checkpoints(id).some((checkpoint) => checkpoint.kept);
      if (!cancelled) this.#store.fail(id, error.code, error.detail);
      else if (kept) this.#store.setStatus(id, 'interrupted');
      else {
        this.#store.setStatus(id, 'cancelled');
        rmSync(folder.folder, { recursive: true, force: true });
      }
    } catch (unwritten) {
      // On a full disk not even this can be written: the run then counts as interrupted.
      if (diskError(unwritten, folder.folder) === null) throw unwritten;
    }
    return cancelled ? new NamesakeError('cancelled', error.detail) : error;
  }

  /** Where the batches of each step come from; a resumed run reads what the first start wrote. */
  async #stepSource(
    id: string,
    folder: RunFolder,
    recipe: Recipe,
    model: LocalModel,
    engine: EngineClient,
    from: number,
    phase: (name: Phase, done?: number, total?: number) => void,
  ): Promise<StepSource> {
    if (recipe.data.format === 'tokens') {
      const source = from > 0 ? { ...recipe, data: { ...recipe.data, source: folder.rows } } : recipe;
      const batches = this.#rows.tokenBatches(source);
      if (from === 0) writeWhole(folder.rows, JSON.stringify(batches));
      const count = recipe.epochs === null ? recipe.steps : Math.ceil((recipe.epochs * batches.length) / recipe.accumulate);
      const at = (step: number): ReturnType<StepSource['batches']> => {
        const first = (step - 1) * recipe.accumulate;
        const micro = Array.from({ length: recipe.accumulate }, (_, i) => {
          const index = (first + i) % batches.length;
          return tokenBatchToBatch(batches[index] as (typeof batches)[number], index);
        });
        return meanOver(micro);
      };
      at(1);
      return { count, batches: at };
    }
    if (from === 0) {
      phase(personaOf(recipe) === null ? 'preparing' : 'asking');
      const rows =
        personaOf(recipe) === null
          ? this.#rows.fromFile(recipe)
          : await this.#rows.fromPersona(recipe, model, engine, (done, total) => phase('asking', done, total));
      writeWhole(folder.rows, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      writeTokens(folder.tokens, await this.#rows.tokenize(rows, recipe, engine));
    }
    const rows = readTokens(folder.tokens, id);
    const plan = planSteps(rows, recipe);
    return { count: plan.length, batches: (step) => stepToBatches(plan[step - 1] ?? [], rows, recipe) };
  }

  #evaluation(recipe: Recipe, engine: EngineClient): Evaluation | null {
    const persona = recipe.data.persona;
    if (recipe.evaluate === null || persona === null) return null;
    const sets = loadEvaluationProbes(recipe.evaluate.questions, persona.languages);
    return new Evaluation(engine, persona, sets, recipe.data.systems[0] ?? null);
  }
}

/** Weights of micro-batches that were each normalised alone, over all their labels together. */
function meanOver(micro: ReturnType<StepSource['batches']>): ReturnType<StepSource['batches']> {
  if (micro.length === 1) return micro;
  const count = micro.reduce((sum, batch) => sum + batch.ce_weights.filter((weight) => weight > 0).length, 0);
  return micro.map((batch) => ({ ...batch, ce_weights: batch.ce_weights.map((weight) => (weight > 0 ? 1 / count : 0)) }));
}
