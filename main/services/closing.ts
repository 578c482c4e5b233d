// Closing: which checkpoint a run keeps, its adapter put in place, and the result.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from '../../shared/run-events.ts';
import type { Language } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { QuestionAnswer } from '../../shared/run.ts';
import { onDisk, writeFolder } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { choose, missedLimits, type Evaluation } from '../pipeline/probes.ts';
import type { RunStore } from '../store/runs.ts';

export interface ClosingRun {
  id: string;
  folder: RunFolder;
  recipe: Recipe;
  store: RunStore;
  /** When the work began (performance.now()): loading and the base's answers are part of a run's seconds. */
  started: number;
}

/** Languages that a run's assistant speaks; none where it has no persona. */
export function languagesOf(recipe: Recipe): Language[] {
  return recipe.data.persona?.languages ?? [];
}

/** What was scored of a run after its base, in order, whether or not the checkpoints are still there. */
export function evaluations(store: RunStore, id: string): (Evaluation & { kept: boolean })[] {
  return store
    .checkpoints(id)
    .flatMap(({ step, scores, right, kept }) => (scores !== null && step > 0 ? [{ step, scores, right, kept }] : []));
}

/** What was scored of a run, of checkpoints that are still there. */
export function evaluatedCheckpoints(store: RunStore, id: string): Evaluation[] {
  return evaluations(store, id).filter(({ kept }) => kept);
}

export interface Chosen {
  step: number;
  /** null where nothing was evaluated: then it is the last one. */
  evaluation: Evaluation | null;
}

/** Chooses among the checkpoints that are there (at least one) and puts the adapter in place. Throws disk.full or disk.unwritable. */
export function keepAdapter({ id, folder, recipe, store }: ClosingRun): Chosen {
  const evaluation = choose(evaluatedCheckpoints(store, id), languagesOf(recipe));
  const last = store.checkpoints(id).findLast(({ kept }) => kept)?.step ?? 0;
  const step = evaluation?.step ?? last;
  placeAdapter(folder, step);
  return { step, evaluation };
}

/** Makes the adapter of a checkpoint the run's own. Throws disk.full or disk.unwritable. */
export function placeAdapter(folder: RunFolder, step: number): void {
  const from = folder.checkpoint(step);
  // Rank, alpha and base are those of every checkpoint of the run: a kill between the two files does no harm.
  const files = ['adapter_config.json', 'adapter_model.safetensors'].map(
    (name) => [name, onDisk(from, () => readFileSync(join(from, name)))] as const,
  );
  writeFolder(folder.adapter, files);
}

/** The result of a run, as it is stored and told. */
export function resultOf(run: ClosingRun, chosen: Chosen, answers: { before: QuestionAnswer[]; after: QuestionAnswer[] }): RunResult {
  const { id, folder, recipe, store, started } = run;
  const { evaluation } = chosen;
  const metrics = store.metrics(id);
  return {
    run: id,
    adapter: folder.adapter,
    chosen_step: chosen.step,
    steps: metrics.at(-1)?.step ?? 0,
    tokens: metrics.reduce((sum, { tokens }) => sum + tokens, 0),
    right: evaluation?.right ?? null,
    missed:
      evaluation === null || recipe.evaluate === null
        ? []
        : missedLimits(evaluation.scores, languagesOf(recipe), recipe.evaluate.limits),
    scores: evaluation?.scores ?? null,
    ...answers,
    seconds: (performance.now() - started) / 1000,
  };
}
