// Session: the steps of one run on one open engine: train, checkpoint, evaluate, stop, choose, keep.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OnRunEvent, Phase, RunResult } from '../../shared/run-events.ts';
import type { AnswerRequest, EngineBatch, EngineClient } from '../../shared/engine.ts';
import { greedy } from '../../shared/chat.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { QuestionAnswer } from '../../shared/run.ts';
import { onDisk, renameWhole, writeWhole } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { choose, missedLimits, rightTwice, type Evaluation as Evaluated } from '../pipeline/probes.ts';
import { loadShowcase } from '../resources.ts';
import type { RunStore } from '../store/runs.ts';
import type { Evaluation } from './evaluation.ts';
import type { LocalModel } from './model.ts';
import { ANSWER_TOKENS, systemMessages, type RowsService } from './rows.ts';

/** The micro-batches of each step. */
export interface StepSource {
  count: number;
  /** step counts from 1. */
  batches(step: number): EngineBatch[];
}

export interface SessionOptions {
  id: string;
  folder: RunFolder;
  recipe: Recipe;
  model: LocalModel;
  engine: EngineClient;
  steps: StepSource;
  /** When the work began (performance.now()): loading and the base's answers are part of a run's seconds. */
  started: number;
  /** null = nothing is evaluated. */
  evaluation: Evaluation | null;
  store: RunStore;
  rows: RowsService;
  onEvent: OnRunEvent;
  phase: (name: Phase, done?: number, total?: number) => void;
}

export class Session {
  readonly #o: SessionOptions;
  #stopping = false;
  #evaluated: Evaluated[] = [];
  #stepSeconds = 0;
  #evaluationSeconds = 0;

  constructor(options: SessionOptions) {
    this.#o = options;
  }

  /** Ends after the present step, with a checkpoint. */
  stop(): void {
    this.#stopping = true;
  }

  get #languages(): Language[] {
    return this.#o.recipe.data.persona?.languages ?? [];
  }

  /** Whether this step is evaluated: from `from_step` (capped at the end) on, every so often, and always the last. */
  #isEvaluated(step: number): boolean {
    const { evaluate } = this.#o.recipe;
    if (this.#o.evaluation === null || evaluate === null) return false;
    const { count } = this.#o.steps;
    return step === count || (step >= Math.min(evaluate.from_step, count) && step % evaluate.every_steps === 0);
  }

  #isSaved(step: number): boolean {
    const every = this.#o.recipe.checkpoint?.every_steps ?? null;
    return step === this.#o.steps.count || this.#isEvaluated(step) || (every !== null && step % every === 0);
  }

  /** Trains from the checkpoint at `from` (0 = the beginning) and returns what was made. */
  async run(from: number): Promise<RunResult> {
    const { id, engine, recipe, store, steps, evaluation, phase, model, rows, onEvent } = this.#o;
    if (evaluation !== null && from === 0) {
      phase('asking');
      const base = await evaluation.base(rows, model, (done, total) => phase('asking', done, total));
      store.addEvaluation(id, 0, base.scores, false, base.probes);
      onEvent({ event: 'probe', step: 0, scores: base.scores });
    }
    const { optim, method } = recipe;
    await engine.createTrainer({
      rank: method.rank,
      alpha: method.alpha,
      seed: recipe.seed,
      // A checkpoint holds the adapter, and with it rank and alpha: where training began may be gone by now.
      init_adapter: from === 0 ? method.init_adapter : this.#o.folder.checkpoint(from),
      lr: optim.lr,
      betas: optim.betas,
      eps: optim.eps,
      weight_decay: optim.weight_decay,
      clip: optim.clip,
      schedule: optim.schedule,
      warmup_steps: optim.warmup_steps,
      steps: steps.count,
      base_model: model.id,
    });
    if (from > 0) {
      await engine.loadCheckpoint(this.#o.folder.checkpoint(from));
      store.rewind(id, from);
      this.#evaluated = store
        .checkpoints(id)
        .flatMap(({ step, scores, right }) => (scores === null || step === 0 ? [] : [{ step, scores, right }]));
      // A kill between a checkpoint and its evaluation: the evaluation is made up for.
      if (this.#isEvaluated(from) && !this.#evaluated.some(({ step }) => step === from)) await this.#evaluate(from);
    }
    store.setStatus(id, 'running');
    const last = await this.#train(from);
    return this.#finish(last);
  }

  /** Returns the last step that was done. */
  async #train(from: number): Promise<number> {
    const { recipe, steps, phase } = this.#o;
    if (this.#stopping && from === 0) throw new NamesakeError('cancelled', 'before the first step');
    phase('training');
    for (let step = from + 1; step <= steps.count; step++) {
      if (this.#stopping || this.#rightEnough()) return step - 1;
      await this.#step(step, from);
      const saved = this.#isSaved(step) || this.#stopping;
      if (saved) await this.#save(step);
      if (this.#isEvaluated(step) && !this.#stopping) {
        await this.#evaluate(step);
        phase('training');
      }
      if (saved) this.#prune(recipe.checkpoint?.keep ?? 1);
    }
    return steps.count;
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
    const left = steps.count - step;
    const evaluationsLeft = Array.from({ length: left }, (_, i) => step + 1 + i).filter((s) => this.#isEvaluated(s)).length;
    const metric = {
      step,
      loss: done.loss,
      grad_norm: done.grad_norm,
      lr: done.lr,
      tokens: done.tokens,
      tokens_per_second: done.tokens / seconds,
      eta_seconds: (this.#stepSeconds / (step - from)) * left + this.#evaluationSeconds * evaluationsLeft,
    };
    store.addMetric(id, metric);
    onEvent({ event: 'step', ...metric });
  }

  async #save(step: number): Promise<void> {
    const { id, engine, folder, store, phase } = this.#o;
    phase('saving');
    onDisk(folder.checkpoints, () => mkdirSync(folder.checkpoints, { recursive: true }));
    await engine.saveCheckpoint(folder.checkpoint(step));
    store.addCheckpoint(id, step);
  }

  /** Scores the present adapter, unless a stop cuts it off: resuming makes up for that. */
  async #evaluate(step: number): Promise<void> {
    const { id, engine, recipe, store, evaluation, phase, onEvent } = this.#o;
    if (evaluation === null || recipe.evaluate === null) return;
    phase('checking');
    const start = performance.now();
    await engine.useAdapter({ kind: 'trainer' });
    try {
      const { scores, probes } = await evaluation.tuned(`step-${step}`);
      const right = missedLimits(scores, this.#languages, recipe.evaluate.limits).length === 0;
      store.addEvaluation(id, step, scores, right, probes);
      this.#evaluated.push({ step, scores, right });
      this.#evaluationSeconds = (performance.now() - start) / 1000;
      onEvent({ event: 'probe', step, scores });
    } catch (error) {
      if (!this.#stopping || !(error instanceof NamesakeError) || error.code !== 'cancelled') throw error;
    }
  }

  /** Removes checkpoints that are neither among the last `keep`, nor right, nor the best. */
  #prune(keep: number): void {
    const { id, folder, store } = this.#o;
    const kept = store.checkpoints(id).filter((checkpoint) => checkpoint.kept);
    const best = choose(this.#evaluated, this.#languages)?.step;
    for (const { step, right } of kept.slice(0, Math.max(0, kept.length - keep))) {
      if (right || step === best) continue;
      store.dropCheckpoint(id, step);
      rmSync(folder.checkpoint(step), { recursive: true, force: true });
    }
  }

  /** Chooses the checkpoint, puts its adapter in place, asks the showcase, and closes the run. */
  async #finish(last: number): Promise<RunResult> {
    const { id, folder, recipe, store, phase } = this.#o;
    const chosen = choose(this.#evaluated, this.#languages);
    const step = chosen?.step ?? last;
    phase('saving');
    this.#keepAdapter(step);
    // Whether a stop left something out: more steps, or the evaluation of the last one.
    const cut =
      this.#stopping &&
      (last < this.#o.steps.count || (this.#isEvaluated(last) && !this.#evaluated.some((evaluated) => evaluated.step === last)));
    const { before, after } = await this.#compare();
    const missed =
      chosen === null || recipe.evaluate === null
        ? []
        : missedLimits(chosen.scores, this.#languages, recipe.evaluate.limits);
    const result: RunResult = {
      run: id,
      adapter: folder.adapter,
      chosen_step: step,
      steps: last,
      tokens: store.metrics(id).reduce((sum, { tokens }) => sum + tokens, 0),
      right: chosen?.right ?? null,
      missed,
      scores: chosen?.scores ?? null,
      before,
      after,
      seconds: (performance.now() - this.#o.started) / 1000,
    };
    store.finish(id, cut ? 'stopped' : 'done', step, result);
    return result;
  }

  #keepAdapter(step: number): void {
    const { folder } = this.#o;
    const temporary = `${folder.adapter}.tmp`;
    try {
      onDisk(folder.adapter, () => {
        rmSync(temporary, { recursive: true, force: true });
        mkdirSync(temporary);
        for (const name of ['adapter_model.safetensors', 'adapter_config.json']) {
          writeWhole(join(temporary, name), readFileSync(join(folder.checkpoint(step), name)));
        }
      });
      renameWhole(temporary, folder.adapter);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }

  /** The showcase questions, before and after, greedily; none where a stop leaves no time for them. */
  async #compare(): Promise<{ before: QuestionAnswer[]; after: QuestionAnswer[] }> {
    const { engine, folder, recipe, phase } = this.#o;
    const questions = loadShowcase(this.#languages).map(({ question }) => question);
    if (questions.length === 0 || this.#stopping) return { before: [], after: [] };
    phase('comparing');
    await engine.useAdapter({ kind: 'folder', folder: folder.adapter });
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
    if (answers.some(({ stop }) => stop === 'cancelled')) return { before: [], after: [] };
    const pair = (offset: number): QuestionAnswer[] =>
      questions.map((question, i) => ({ question, answer: answers[offset + i]?.text ?? '' }));
    return { before: pair(0), after: pair(questions.length) };
  }
}
