// Step source: the micro-batches of each step. A run's first start makes rows and tokens and writes them down; from then on
// they are read from its folder, so that what they were made from may change or go.
import { existsSync, rmSync } from 'node:fs';
import type { EngineBatch, EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { rowSchema, type Row } from '../../shared/row.ts';
import type { Phase } from '../../shared/run-events.ts';
import { onDisk, readText, writeWhole } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { largestBatch, type BatchSize } from '../pipeline/batch-size.ts';
import { stepToBatches, tokenBatchToBatch, walkSteps, type PackableRow, type Step } from '../pipeline/rows-to-batches.ts';
import { personaOf, type BaseModel, type RowsService } from './rows.ts';
import { readTokens, writeTokens } from './token-file.ts';

/** Steps whose batches are looked at one by one, and rows in them. */
const MOST_MEASURED = 20_000;
const MOST_ROWS_MEASURED = 2_000_000;

export interface StepSource {
  count: number;
  /** Most tokens of a micro-batch: what memory is planned for. */
  tokens: number;
  /** Most of them that are computed. */
  packed: number;
  /** step counts from 1. Quick for one step after the other; going back begins anew. */
  batches(step: number): EngineBatch[];
}

/** Rows as one JSON object a line. */
export function rowLines(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** The rows that a run was started with, as long as they wait to be completed; null where it makes its own. */
export function givenRows(folder: RunFolder): Row[] | null {
  if (!existsSync(folder.draft)) return null;
  return readText(folder.draft, 'rows.unreadable')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => rowSchema.parse(JSON.parse(line)));
}

export interface RowMaker {
  id: string;
  folder: RunFolder;
  recipe: Recipe;
  model: BaseModel;
  engine: EngineClient;
  rows: RowsService;
  phase: (name: Phase, done?: number, total?: number) => void;
}

/**
 * Makes the rows of a run and writes them: rows.jsonl, and tokens.bin unless they are token batches. Throws by code
 * (rows.*, recipe.invalid, cancelled, disk.*).
 */
export async function makeRows({ folder, recipe, model, engine, rows, phase }: RowMaker): Promise<void> {
  if (recipe.data.format === 'tokens') {
    writeWhole(folder.rows, JSON.stringify(rows.tokenBatches(recipe)));
    return;
  }
  const draft = givenRows(folder);
  const asks = draft !== null || personaOf(recipe) !== null;
  phase(asks ? 'asking' : 'preparing');
  const progress = (done: number, total: number): void => phase('asking', done, total);
  const made =
    draft !== null
      ? await rows.complete(draft, model, engine, progress)
      : asks
        ? await rows.fromPersona(recipe, model, engine, progress)
        : rows.fromFile(recipe);
  writeWhole(folder.rows, rowLines(made));
  writeTokens(folder.tokens, await rows.tokenize(made, recipe, engine));
}

/** The rows that a run was started with are in rows.jsonl, complete, once provenance.json says so. */
export function dropDraft(folder: RunFolder): void {
  onDisk(folder.draft, () => rmSync(folder.draft, { force: true }));
}

/** The steps of a run whose rows were made. Throws rows.*, checkpoint.invalid or run.no_checkpoint. */
export function readSteps({ id, folder, recipe, rows }: Pick<RowMaker, 'id' | 'folder' | 'recipe' | 'rows'>): StepSource {
  if (recipe.data.format === 'tokens') {
    const batches = rows.tokenBatches({ ...recipe, data: { ...recipe.data, source: folder.rows } });
    const count = recipe.epochs === null ? recipe.steps : Math.ceil((recipe.epochs * batches.length) / recipe.accumulate);
    const at = (step: number): EngineBatch[] => {
      const first = (step - 1) * recipe.accumulate;
      const micro = Array.from({ length: recipe.accumulate }, (_, i) => {
        const index = (first + i) % batches.length;
        return tokenBatchToBatch(batches[index] as (typeof batches)[number], index);
      });
      return meanOver(micro);
    };
    at(1);
    const sizes = batches.map(({ attention_mask }) => attention_mask.flat().filter((mask) => mask === 1).length);
    const tokens = sizes.reduce((most, size) => Math.max(most, size), 1);
    return { count, tokens, packed: tokens, batches: at };
  }
  const tokens = readTokens(folder.tokens, id);
  if (!tokens.some(({ labels }) => labels.some((label, i) => i > 0 && label >= 0))) throw new NamesakeError('rows.empty', `${tokens.length} rows without a label`);
  const stepAt = stepsInTurn(() => walkSteps(tokens, recipe));
  return { ...measure(tokens, recipe), batches: (step) => stepToBatches(stepAt(step), tokens, recipe) };
}

/** Gives any step of a plan that is never held as a whole: a million steps would be some hundred megabytes. */
function stepsInTurn(walk: () => Iterator<Step, void>): (step: number) => Step {
  let steps = walk();
  let last = 0;
  let present: Step = [];
  return (step) => {
    if (step < last) [steps, last] = [walk(), 0];
    for (; last < step; last++) present = steps.next().value ?? [];
    return present;
  };
}

/** Steps of a plan, and the most tokens of any micro-batch; in plans longer than anyone looks through, as many as it may have. */
function measure(rows: readonly PackableRow[], recipe: Recipe): { count: number } & BatchSize {
  let size: BatchSize = { tokens: 1, packed: 1 };
  let count = 0;
  let drawn = 0;
  for (const step of walkSteps(rows, recipe)) {
    count++;
    for (const batch of step) drawn += batch.length;
    if (count <= MOST_MEASURED && drawn <= MOST_ROWS_MEASURED) {
      const { tokens, packed } = largestBatch([step], rows);
      size = { tokens: Math.max(size.tokens, tokens), packed: Math.max(size.packed, packed) };
      continue;
    }
    size = { tokens: recipe.batch_tokens, packed: recipe.batch_tokens };
    if (recipe.epochs === null) return { count: recipe.steps, ...size };
  }
  return { count, ...size };
}

/** Weights of micro-batches that were each normalised alone, over all their labels together. */
function meanOver(micro: EngineBatch[]): EngineBatch[] {
  if (micro.length === 1) return micro;
  const count = micro.reduce((sum, batch) => sum + batch.ce_weights.filter((weight) => weight > 0).length, 0);
  return micro.map((batch) => ({ ...batch, ce_weights: batch.ce_weights.map((weight) => (weight > 0 ? 1 / count : 0)) }));
}

/** Refuses rows that cannot be those of this recipe. Throws recipe.unsupported or rows.empty. */
export function checkGivenRows(recipe: Recipe, rows: readonly Row[]): void {
  if (recipe.data.format === 'tokens') throw new NamesakeError('recipe.unsupported', 'rows beside data.format "tokens"');
  if (rows.length === 0) throw new NamesakeError('rows.empty', 'a draft without rows');
}
