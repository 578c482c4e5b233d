// Session: the steps of one run on one open engine: train, checkpoint, evaluate, stop, choose, keep.
import { mkdirSync } from 'node:fs';
import type { AnswerRequest, EngineClient } from '../../shared/engine.ts';
import { greedy } from '../../shared/chat.ts';
import { NamesakeError, type ErrorCode } from '../../shared/errors.ts';
import type { OnRunEvent, Phase, RunResult } from '../../shared/run-events.ts';
import type { QuestionAnswer } from '../../shared/run.ts';
import { onDisk, removeWhole } from '../disk.ts';
import { choose, missedLimits, rightTwice, type Evaluation as Evaluated } from '../pipeline/probes.ts';
import { loadShowcase } from '../resources.ts';
import { evaluatedCheckpoints, evaluations, keepAdapter, languagesOf, resultOf, type ClosingRun } from './closing.ts';
import { folderSha256, isAsSaved } from './checkpoint.ts';
import type { Evaluation } from './evaluation.ts';
import type { MemoryChoices } from './provenance.ts';
import { dropCheckpoint, rewind } from './recovery.ts';
import { ANSWER_TOKENS, systemMessages, type BaseModel, type RowsService } from './rows.ts';
import { Schedule } from './schedule.ts';
import type { StepSource } from './step-source.ts';
import type { Wishes } from './wishes.ts';

export interface SessionOptions extends ClosingRun {
  model: BaseModel;
  engine: EngineClient;
  steps: StepSource;
  /** null = nothing is evaluated. */
  evaluation: Evaluation | null;
  rows: RowsService;
  wishes: Wishes;
  onEvent: OnRunEvent;
  phase: (name: Phase, done?: number, total?: number) => void;
  /** Hears how the engine fits its work into memory. */
  onTrainer: (memory: MemoryChoices) => void;
  /** Called once before the first step. */
  onRunning: () => void;
}

/** What the engine says of a checkpoint that cannot be read. */
const DAMAGED: readonly ErrorCode[] = ['checkpoint.invalid', 'adapter.invalid', 'adapter.unreadable', 'adapter.mismatch'];

export class Session {
  readonly #o: SessionOptions;
  readonly #schedule: Schedule;
  #evaluated: Evaluated[] = [];
  #stepSeconds = 0;
  #evaluationSeconds = 0;

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#schedule = new Schedule(options.recipe, options.steps.count, options.evaluation !== null);
  }

  get #asked(): boolean {
    return this.#o.wishes.strongest !== null;
  }

  /**
   * Trains from the first of `checkpoints` (steps, newest first) that can be read, or from the beginning where there are
   * none, and returns what was made. Throws `cancelled` where it was asked to pause, to stop before the first step, or to
   * be thrown away.
   */
  async run(checkpoints: readonly number[]): Promise<RunResult> {
    const { wishes } = this.#o;
    const from = checkpoints.length === 0 ? await this.#begin() : await this.#load(checkpoints);
    if (from === 0) wishes.check('before the first step');
    this.#o.onRunning();
    await this.#train(from);
    if (wishes.strongest !== 'stop') wishes.check('after a step');
    return this.#finish();
  }

  /** The adapter that training begins from, and what the base scores. Returns 0. */
  async #begin(): Promise<number> {
    const { id, folder, recipe, store, evaluation, phase, model, rows, onEvent } = this.#o;
    rewind(store, id, folder, 0);
    if (evaluation !== null) {
      phase('asking');
      const base = await evaluation.base(rows, model, (done, total) => phase('asking', done, total));
      store.addEvaluation(id, 0, base.scores, false, base.probes);
      onEvent({ event: 'probe', step: 0, scores: base.scores });
    }
    await this.#createTrainer(recipe.method.init_adapter);
    return 0;
  }

  /** The newest checkpoint that can be read. Throws why the oldest one cannot be, where none can. */
  async #load(checkpoints: readonly number[]): Promise<number> {
    const { id, folder, store, recipe } = this.#o;
    const step = await this.#loadNewest(checkpoints);
    rewind(store, id, folder, step);
    for (const older of checkpoints.filter((other) => other < step)) {
      if (await isAsSaved(store, id, folder, older)) continue;
      this.#warnOfDamage(older, step);
      dropCheckpoint(store, id, folder, older);
    }
    // Those of checkpoints that were removed too: whether a run is right twice in a row does not hang on what is kept.
    this.#evaluated = evaluations(store, id);
    // A kill between a checkpoint and its evaluation, or between that and what it made superfluous, is made up for.
    if (this.#schedule.isEvaluated(step) && !this.#evaluated.some((known) => known.step === step)) await this.#evaluate(step);
    this.#prune(recipe.checkpoint?.keep ?? 1);
    return step;
  }

  async #loadNewest([step, ...before]: readonly number[]): Promise<number> {
    const { id, engine, folder, store } = this.#o;
    if (step === undefined) throw new NamesakeError('internal', 'no checkpoint to load');
    try {
      const saved = folder.checkpoint(step);
      if (!(await isAsSaved(store, id, folder, step))) throw new NamesakeError('checkpoint.invalid', `${saved} is not what was saved`);
      // A checkpoint holds the adapter, and with it rank, layers and alpha: where training began may be gone by now.
      await this.#createTrainer(saved);
      await engine.loadCheckpoint(saved);
      return step;
    } catch (error) {
      const [next] = before;
      if (next === undefined || !(error instanceof NamesakeError) || !DAMAGED.includes(error.code)) throw error;
      this.#warnOfDamage(step, next);
      return this.#loadNewest(before);
    }
  }

  #warnOfDamage(step: number, from: number): void {
    this.#o.onEvent({ event: 'warning', warning: 'checkpoint_damaged', step, from });
  }

  async #createTrainer(init_adapter: string | null): Promise<void> {
    const { engine, recipe, steps, model, onTrainer } = this.#o;
    const { optim, method } = recipe;
    const { recompute } = await engine.createTrainer({
      rank: method.rank,
      layers: method.layers,
      alpha: method.alpha,
      seed: recipe.seed,
      init_adapter,
      lr: optim.lr,
      betas: optim.betas,
      eps: optim.eps,
      weight_decay: optim.weight_decay,
      loraplus_lr_ratio: optim.loraplus_lr_ratio,
      state_bits: optim.state_bits,
      activation_bits: recipe.activation_bits,
      clip: optim.clip,
      schedule: optim.schedule,
      warmup_steps: optim.warmup_steps,
      steps: steps.count,
      base_model: model.base,
      batch_tokens: steps.tokens,
      packed_tokens: steps.packed,
      recompute: null,
    });
    onTrainer({ recompute });
  }

  /** Until the last step, until it is right, or until anything is asked; ends with a checkpoint of where it ended. */
  async #train(from: number): Promise<void> {
    const { recipe, steps, phase } = this.#o;
    phase('training');
    for (let step = from + 1; step <= steps.count; step++) {
      if (this.#asked || this.#rightEnough()) return;
      await this.#step(step, from);
      const saved = this.#schedule.isSaved(step) || this.#asked;
      if (saved) await this.#save(step);
      if (this.#schedule.isEvaluated(step) && !this.#asked) {
        await this.#evaluate(step);
        phase('training');
      }
      if (saved) this.#prune(recipe.checkpoint?.keep ?? 1);
    }
  }

  #rightEnough(): boolean {
    return (this.#o.recipe.evaluate?.stop_when_right ?? false) && rightTwice(this.#evaluated);
  }

  async #step(step: number, from: number): Promise<void> {
    const { id, engine, store, steps, onEvent } = this.#o;
    const start = performance.now();
    const done = await engine.step(steps.batches(step));
    const seconds = (performance.now() - start) / 1000;
    this.#stepSeconds += seconds;
    const secondsPerStep = this.#stepSeconds / (step - from);
    const metric = {
      step,
      loss: done.loss,
      grad_norm: done.grad_norm,
      lr: done.lr,
      tokens: done.tokens,
      tokens_per_second: done.tokens / seconds,
      eta_seconds: secondsPerStep * (steps.count - step) + this.#evaluationSeconds * this.#schedule.evaluationsAfter(step),
    };
    store.addMetric(id, metric);
    onEvent({ event: 'step', ...metric });
  }

  async #save(step: number): Promise<void> {
    const { id, engine, folder, store, phase } = this.#o;
    phase('saving');
    onDisk(folder.checkpoints, () => mkdirSync(folder.checkpoints, { recursive: true }));
    // The engine of a process that was killed may have finished this checkpoint after the run went on without it.
    removeWhole(folder.checkpoint(step));
    await engine.saveCheckpoint(folder.checkpoint(step));
    store.addCheckpoint(id, step, await folderSha256(folder.checkpoint(step)));
  }

  /** Scores the present adapter, unless something that is asked cuts it off: resuming makes up for that. */
  async #evaluate(step: number): Promise<void> {
    const { id, engine, recipe, store, evaluation, phase, onEvent } = this.#o;
    if (evaluation === null || recipe.evaluate === null) return;
    phase('checking');
    const start = performance.now();
    await engine.useAdapter({ kind: 'trainer' });
    if (this.#asked) return;
    try {
      const { scores, probes } = await evaluation.tuned(`step-${step}`);
      const right = missedLimits(scores, languagesOf(recipe), recipe.evaluate.limits).length === 0;
      store.addEvaluation(id, step, scores, right, probes);
      this.#evaluated.push({ step, scores, right });
      this.#evaluationSeconds = (performance.now() - start) / 1000;
      onEvent({ event: 'probe', step, scores });
    } catch (error) {
      if (!this.#asked || !(error instanceof NamesakeError) || error.code !== 'cancelled') throw error;
    }
  }

  /** Removes checkpoints that are neither among the last `keep`, nor right, nor the best. */
  #prune(keep: number): void {
    const { id, folder, recipe, store } = this.#o;
    const kept = store.checkpoints(id).filter((checkpoint) => checkpoint.kept);
    const best = choose(evaluatedCheckpoints(store, id), languagesOf(recipe))?.step;
    for (const { step, right } of kept.slice(0, Math.max(0, kept.length - keep))) {
      if (!right && step !== best) dropCheckpoint(store, id, folder, step);
    }
  }

  /** Chooses the checkpoint, puts its adapter in place, asks the showcase, and closes the run. */
  async #finish(): Promise<RunResult> {
    const { id, store, phase, wishes, steps } = this.#o;
    phase('saving');
    const chosen = keepAdapter(this.#o);
    const last = store.get(id).step;
    // Whether a stop left something out: more steps, or the evaluation of the last one.
    const cut =
      this.#asked &&
      (last < steps.count || (this.#schedule.isEvaluated(last) && !this.#evaluated.some(({ step }) => step === last)));
    const answers = await this.#compare();
    if (wishes.strongest !== 'stop') wishes.check('while comparing');
    const result = resultOf(this.#o, chosen, answers);
    store.finish(id, cut ? 'stopped' : 'done', chosen.step, result);
    return result;
  }

  /** The showcase questions, before and after, greedily; none where a stop leaves no time for them. */
  async #compare(): Promise<{ before: QuestionAnswer[]; after: QuestionAnswer[] }> {
    const { engine, folder, recipe, phase } = this.#o;
    const none = { before: [], after: [] };
    const questions = loadShowcase(languagesOf(recipe)).map(({ question }) => question);
    if (questions.length === 0 || this.#asked) return none;
    phase('comparing');
    await engine.useAdapter({ kind: 'folder', folder: folder.adapter });
    if (this.#asked) return none;
    const ask = (question: string, adapter: boolean): AnswerRequest => ({
      messages: [...systemMessages(recipe.data.systems[0]), { role: 'user', content: question }],
      max_tokens: ANSWER_TOKENS,
      sampling: greedy,
      adapter,
    });
    const { answers } = await engine.generate('showcase', [
      ...questions.map((question) => ask(question, false)),
      ...questions.map((question) => ask(question, true)),
    ]);
    if (answers.some(({ stop }) => stop === 'cancelled')) return none;
    const pair = (offset: number): QuestionAnswer[] =>
      questions.map((question, i) => ({ question, answer: answers[offset + i]?.text ?? '' }));
    return { before: pair(0), after: pair(questions.length) };
  }
}
