// Live run: one engine, one training, whatever happens. Its status at the end says how it went; what was asked of it on the
// way (pause, stop and keep, throw away) is heard as soon as nothing is lost by it.
import { isCard } from '../../shared/device.ts';
import { isWithoutCard } from '../../shared/doctor.ts';
import type { EngineClient, OpenOptions } from '../../shared/engine.ts';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { OnRunEvent, Phase, RunResult } from '../../shared/run-events.ts';
import type { RunStatus } from '../../shared/run.ts';
import { diskError, removeWhole, reserveRoom } from '../disk.ts';
import type { Home, RunFolder } from '../home.ts';
import type { RunStore } from '../store/runs.ts';
import { refuseOtherModel } from './built-in-adapter.ts';
import { keepAdapter, languagesOf, resultOf } from './closing.ts';
import { Evaluation } from './evaluation.ts';
import { MemoryService, type PreparedRows } from './memory.ts';
import type { ModelService } from './model.ts';
import { isOfCard, startPlaced, type Placed } from './placement.ts';
import { loadEvaluationProbes } from './probe-file.ts';
import { ProgressNote } from './progress-note.ts';
import { changeOfEngine, checkSameModel, isPrepared, QUESTION_PLACE, writeProvenance, type ChatForm } from './provenance.ts';
import { rewind } from './recovery.ts';
import { systemMessages, type RowsService } from './rows.ts';
import { keepInputs, withKeptInputs } from './run-inputs.ts';
import { Session } from './session.ts';
import { dropDraft, givenRows, makeRows, readSteps, type StepSource } from './step-source.ts';
import { Wishes, type Wish } from './wishes.ts';

/** How the engine host is to compute; the recipe adds device and precision. */
export type ComputeOptions = Pick<OpenOptions, 'threads' | 'isa' | 'cache'>;

/** Room for how a run ended, where the disk became full: the database's log grows by a few pages. */
const LAST_WORDS_BYTES = 256 * 1024;

/** Phases in which the model answers questions: those are cut off. A step is short and finishes. */
const ASKING: readonly Phase[] = ['asking', 'checking', 'comparing'];

export interface LiveRunOptions {
  id: string;
  home: Home;
  folder: RunFolder;
  recipe: Recipe;
  compute: ComputeOptions;
  /** Steps of the checkpoints that it can go on from, newest first; none = from the beginning. */
  checkpoints: readonly number[];
  store: RunStore;
  models: ModelService;
  rows: RowsService;
  startEngine: () => EngineClient;
  onEvent: OnRunEvent;
}

/** The form of a conversation under the recipe's first system text. */
async function formOf(engine: EngineClient, recipe: Recipe): Promise<ChatForm | null> {
  try {
    const prompt = await engine.render([...systemMessages(recipe.data.systems[0]), { role: 'user', content: QUESTION_PLACE }], true);
    return { prompt, stops: await engine.stops() };
  } catch (error) {
    // Token batches can be trained under a system text that the template refuses.
    if (error instanceof NamesakeError && error.code === 'model.template_invalid') return null;
    throw error;
  }
}

export class LiveRun {
  readonly #o: LiveRunOptions;
  readonly #wishes = new Wishes();
  readonly #note: ProgressNote;
  #engine: EngineClient | null = null;
  #phase: Phase = 'preparing';
  #started = performance.now();
  /** What computes; null until that is decided. */
  #placement: Placed | null = null;
  /** Steps are trained. */
  #running = false;
  /** Its last status stands. */
  #over = false;

  constructor(options: LiveRunOptions) {
    this.#o = options;
    this.#note = new ProgressNote(options.store, options.id);
  }

  get id(): string {
    return this.#o.id;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Asks something of the run; the status that follows says when it has happened. */
  ask(wish: Wish): void {
    this.#wishes.ask(wish);
    // Nothing of a run that is thrown away is waited for.
    if (wish === 'cancel') void this.#engine?.dispose();
    else if (ASKING.includes(this.#phase)) void this.#engine?.cancel().catch(() => undefined);
  }

  /** Trains to the end. Throws by code; `cancelled` where it was paused or thrown away. */
  async run(): Promise<RunResult> {
    let giveRoom = (): void => undefined;
    try {
      giveRoom = reserveRoom(this.#o.folder.folder, LAST_WORDS_BYTES);
      return await this.#trainAnywhere();
    } catch (error) {
      giveRoom();
      return this.#end(diskError(error, this.#o.folder.folder) ?? toNamesakeError(error));
    } finally {
      giveRoom();
      this.#over = true;
      this.#note.close();
      await this.#engine?.dispose();
    }
  }

  #tellStatus(status: RunStatus): void {
    this.#o.onEvent({ event: 'status', status });
  }

  #set(status: Exclude<RunStatus, 'failed' | 'done'>): void {
    this.#o.store.setStatus(this.#o.id, status);
    this.#tellStatus(status);
  }

  #tellPhase(name: Phase, done?: number, total?: number): void {
    // What is asked here is asked in parts: nothing more than the present one is waited for.
    if (name === 'asking') this.#wishes.check('while the base model was asked');
    this.#phase = name;
    const counted = done !== undefined && total !== undefined;
    this.#note.write({ phase: name, done: counted ? done : null, total: counted ? total : null, eta_seconds: null });
    this.#o.onEvent({ event: 'phase', phase: name, ...(counted ? { done, total } : {}) });
  }

  /** Before the first step, what a card fails at leads to the processor, unless the card was asked for by name. */
  async #trainAnywhere(): Promise<RunResult> {
    try {
      return await this.#train();
    } catch (error) {
      const onCard = this.#placement !== null && isCard(this.#placement.device);
      if (this.#o.recipe.device !== 'auto' || this.#running || !onCard || !isOfCard(error)) throw error;
      await this.#engine?.dispose();
      this.#placement = { device: 'cpu', no_card: { code: error.code, detail: error.detail } };
      return this.#train();
    }
  }

  /** Starts the engine where the plan of the run, as the screens show it, has room; tells of a card that could not be taken. */
  async #place(): Promise<{ engine: EngineClient } & Placed> {
    const { id, folder, recipe, compute, models, onEvent } = this.#o;
    const start = (): EngineClient => (this.#engine = this.#o.startEngine());
    const given = (): PreparedRows | null => {
      const rows = givenRows(folder);
      return rows === null ? null : { version: id, count: rows.length, make: () => rows };
    };
    const plan = (): Promise<Placed> => new MemoryService(this.#o.home, models, this.#o.startEngine, () => compute).ofRecipe(recipe, given());
    const placed = this.#placement === null ? await startPlaced(start, recipe.device, plan) : { engine: start(), ...this.#placement };
    this.#wishes.check('while a card was looked for');
    const { device, no_card } = placed;
    this.#placement = { device, no_card };
    if (no_card !== null && !isWithoutCard(no_card)) onEvent({ event: 'warning', warning: 'no_card', ...no_card });
    return placed;
  }

  async #train(): Promise<RunResult> {
    const { id, folder, recipe, compute, checkpoints, store, models, rows, onEvent } = this.#o;
    const phase = this.#tellPhase.bind(this);
    phase('fetching');
    const located = await this.#wishes.unlessAsked('while the model was fetched', models.locate(recipe.model.ref, { signal: this.#wishes.signal }));
    const model = { ...located, precision: recipe.model.precision };
    const prepared = isPrepared(folder);
    if (prepared) checkSameModel(folder, model);
    else refuseOtherModel(withKeptInputs(folder, recipe), model);
    // From here on: a download says nothing about how long making an assistant takes.
    this.#started = performance.now();
    phase('loading');
    const { engine, device, no_card } = await this.#place();
    const { precision } = recipe.model;
    const info = await engine.open({ path: model.path, precision, device, ...compute });
    const change = prepared && checkpoints.length > 0 ? changeOfEngine(folder, info) : null;
    if (change !== null) onEvent({ event: 'warning', warning: 'resumed_elsewhere', ...change });
    this.#wishes.check('while the model was loaded');
    if (!prepared) {
      // Before anyone waits for answers: whether the person's own questions can be used.
      this.#evaluation(engine, withKeptInputs(folder, recipe));
      await makeRows({ id, folder, recipe, model, engine, rows, phase });
      keepInputs(folder, recipe);
    }
    const steps = readSteps({ id, folder, recipe, rows });
    const origin = { model, info, no_card, recipe, addon: (await engine.about()).addon, form: await formOf(engine, recipe) };
    if (checkpoints.length === 0) writeProvenance(folder, origin);
    dropDraft(folder);
    store.setSteps(id, steps.count);
    const kept = withKeptInputs(folder, recipe);
    const session = new Session({
      id,
      folder,
      recipe: { ...kept, steps: steps.count },
      model,
      engine,
      steps,
      started: this.#started,
      evaluation: this.#evaluation(engine, kept),
      store,
      rows,
      wishes: this.#wishes,
      onEvent: (event) => {
        if (event.event === 'step') this.#noteStep(event.step, steps, event.eta_seconds);
        onEvent(event);
      },
      phase,
      onTrainer: (memory) => {
        if (checkpoints.length === 0) writeProvenance(folder, { ...origin, memory });
      },
      onRunning: () => {
        this.#running = true;
        this.#set('running');
      },
    });
    const result = await session.run(checkpoints);
    this.#close(result, store.get(id).status);
    return result;
  }

  #noteStep(done: number, { count }: StepSource, eta_seconds: number): void {
    this.#note.write({ phase: 'training', done, total: count, eta_seconds });
  }

  #close(result: RunResult, status: RunStatus): void {
    this.#over = true;
    this.#tellStatus(status);
    this.#o.onEvent({ event: 'result', ...result });
  }

  #evaluation(engine: EngineClient, recipe: Recipe): Evaluation | null {
    const { persona } = recipe.data;
    if (recipe.evaluate === null || persona === null) return null;
    const sets = loadEvaluationProbes(recipe.evaluate.questions, languagesOf(recipe));
    return new Evaluation(engine, persona, sets, recipe.data.systems[0] ?? null);
  }

  /** How a run ended that did not reach its end. */
  #end(error: NamesakeError): RunResult {
    const { id, folder, store } = this.#o;
    const wish = this.#wishes.strongest;
    const cancelled = new NamesakeError('cancelled', error.detail);
    this.#note.close();
    try {
      if (wish === 'cancel') {
        this.#throwAway();
        throw cancelled;
      }
      // A signal to all processes ends the engine too. Any other failure stays one, whatever was asked.
      if (wish !== null && error.code === 'engine.crashed') {
        this.#set('interrupted');
        throw cancelled;
      }
      if (wish === 'pause' && error.code === 'cancelled') {
        this.#set('paused');
        throw cancelled;
      }
      if (wish === 'stop' && error.code === 'cancelled') {
        const result = this.#keepWhatThereIs();
        if (result !== null) return result;
        this.#throwAway();
        throw cancelled;
      }
      store.fail(id, error);
      this.#tellStatus('failed');
    } catch (unwritten) {
      if (unwritten === cancelled) throw unwritten;
      // Not even this can be written: the run then counts as interrupted.
      if (diskError(unwritten, folder.folder)?.code.startsWith('disk.') !== true) throw unwritten;
    }
    throw error;
  }

  /** The database first: a run that is half removed must not be resumed. */
  #throwAway(): void {
    this.#set('cancelled');
    removeWhole(this.#o.folder.folder);
  }

  /** Stop and keep before the first step since the run was resumed: the best of what was saved. null where there is nothing. */
  #keepWhatThereIs(): RunResult | null {
    const { id, folder, recipe, store } = this.#o;
    const last = store.checkpoints(id).findLast(({ kept }) => kept);
    if (last === undefined) return null;
    rewind(store, id, folder, last.step);
    const run = { id, folder, recipe, store, started: this.#started };
    const chosen = keepAdapter(run);
    const result = resultOf(run, chosen, { before: [], after: [] });
    store.finish(id, 'stopped', chosen.step, result);
    this.#close(result, 'stopped');
    return result;
  }
}
