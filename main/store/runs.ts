// Runs: the rows of the database about runs, their metrics, checkpoints and probes.
import { NamesakeError, type ErrorCode } from '../../shared/errors.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import {
  scoresSchema,
  type CheckpointScores,
  type RunStatus,
  type RunSummary,
  type ScoredProbe,
  type Scores,
  type StepMetric,
} from '../../shared/run.ts';
import type { Db } from './db.ts';

export interface RunRecord extends RunSummary {
  recipe: Recipe;
  error_detail: string | null;
  /** The result event, once there is one. */
  result: unknown;
}

interface RunRow {
  id: string;
  name: string;
  status: RunStatus;
  recipe: string;
  step: number;
  steps: number;
  created_at: string;
  chosen_step: number | null;
  error_code: string | null;
  error_detail: string | null;
  result: string | null;
}

function toRecord(row: RunRow): RunRecord {
  return {
    run: row.id,
    name: row.name,
    status: row.status,
    step: row.step,
    steps: row.steps,
    created_at: row.created_at,
    error: row.error_code,
    chosen_step: row.chosen_step,
    recipe: recipeSchema.parse(JSON.parse(row.recipe)),
    error_detail: row.error_detail,
    result: row.result === null ? null : JSON.parse(row.result),
  };
}

export class RunStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  #touch(id: string, change: string, values: Record<string, string | number | null>): void {
    this.#db
      .prepare(`UPDATE runs SET ${change}, updated_at = @now WHERE id = @id`)
      .run({ ...values, id, now: new Date().toISOString() });
  }

  create(id: string, recipe: Recipe): void {
    const now = new Date().toISOString();
    this.#db
      .prepare(
        `INSERT INTO runs (id, name, status, recipe, steps, created_at, updated_at)
         VALUES (?, ?, 'preparing', ?, ?, ?, ?)`,
      )
      .run(id, recipe.name, JSON.stringify(recipe), recipe.steps, now, now);
  }

  /** Newest first. */
  list(): RunRecord[] {
    return this.#db.prepare<[], RunRow>('SELECT * FROM runs ORDER BY created_at DESC, id DESC').all().map(toRecord);
  }

  /** Throws run.unknown. */
  get(id: string): RunRecord {
    const row = this.#db.prepare<[string], RunRow>('SELECT * FROM runs WHERE id = ?').get(id);
    if (row === undefined) throw new NamesakeError('run.unknown', id, { run: id });
    return toRecord(row);
  }

  setStatus(id: string, status: RunStatus): void {
    this.#touch(id, 'status = @status, error_code = NULL, error_detail = NULL', { status });
  }

  setSteps(id: string, steps: number): void {
    this.#touch(id, 'steps = @steps', { steps });
  }

  fail(id: string, code: ErrorCode, detail: string): void {
    this.#touch(id, `status = 'failed', error_code = @code, error_detail = @detail`, { code, detail });
  }

  /** The last change of a run: its adapter is in place. */
  finish(id: string, status: 'done' | 'stopped', chosen_step: number, result: unknown): void {
    this.#touch(id, 'status = @status, chosen_step = @chosen_step, result = @result', {
      status,
      chosen_step,
      result: JSON.stringify(result),
    });
  }

  /** Runs that claim to go on although no process holds the trainer's lock. */
  markInterrupted(): void {
    this.#db
      .prepare(`UPDATE runs SET status = 'interrupted' WHERE status IN ('preparing', 'running')`)
      .run();
  }

  addMetric(id: string, metric: StepMetric): void {
    this.#db.transaction(() => {
      this.#db
        .prepare('INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(id, metric.step, metric.loss, metric.grad_norm, metric.lr, metric.tokens, metric.tokens_per_second);
      this.#touch(id, 'step = @step', { step: metric.step });
    })();
  }

  metrics(id: string): Omit<StepMetric, 'eta_seconds'>[] {
    return this.#db
      .prepare<[string], Omit<StepMetric, 'eta_seconds'>>(
        'SELECT step, loss, grad_norm, lr, tokens, tokens_per_second FROM metrics WHERE run_id = ? ORDER BY step',
      )
      .all(id);
  }

  addCheckpoint(id: string, step: number): void {
    this.#db.prepare('INSERT OR IGNORE INTO checkpoints (run_id, step) VALUES (?, ?)').run(id, step);
  }

  /** Scores and answers of one evaluation, together. Step 0 is the base. */
  addEvaluation(id: string, step: number, scores: Scores, right: boolean, probes: readonly ScoredProbe[]): void {
    this.#db.transaction(() => {
      this.#db
        .prepare(
          `INSERT INTO checkpoints (run_id, step, is_right, scores, kept) VALUES (@id, @step, @right, @scores, @kept)
           ON CONFLICT DO UPDATE SET is_right = @right, scores = @scores`,
        )
        .run({ id, step, right: right ? 1 : 0, scores: JSON.stringify(scores), kept: step === 0 ? 0 : 1 });
      this.#db.prepare('DELETE FROM probes WHERE run_id = ? AND step = ?').run(id, step);
      const insert = this.#db.prepare('INSERT INTO probes VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
      probes.forEach(({ lang, kind, question, answer, hit }, place) => {
        insert.run(id, step, place, lang, kind, question, answer, hit ? 1 : 0);
      });
    })();
  }

  checkpoints(id: string): CheckpointScores[] {
    return this.#db
      .prepare<[string], { step: number; is_right: number; scores: string | null; kept: number }>(
        'SELECT step, is_right, scores, kept FROM checkpoints WHERE run_id = ? ORDER BY step',
      )
      .all(id)
      .map(({ step, is_right, scores, kept }) => ({
        step,
        right: is_right === 1,
        scores: scores === null ? null : scoresSchema.parse(JSON.parse(scores)),
        kept: kept === 1,
      }));
  }

  dropCheckpoint(id: string, step: number): void {
    this.#db.prepare('UPDATE checkpoints SET kept = 0 WHERE run_id = ? AND step = ?').run(id, step);
  }

  probes(id: string, step: number): ScoredProbe[] {
    return this.#db
      .prepare<[string, number], Omit<ScoredProbe, 'hit'> & { hit: number }>(
        'SELECT lang, kind, question, answer, hit FROM probes WHERE run_id = ? AND step = ? ORDER BY place',
      )
      .all(id, step)
      .map((probe) => ({ ...probe, hit: probe.hit === 1 }));
  }

  /** Forgets what came after `step`: a resumed run measures it again. */
  rewind(id: string, step: number): void {
    this.#db.transaction(() => {
      for (const table of ['metrics', 'checkpoints', 'probes']) {
        this.#db.prepare(`DELETE FROM ${table} WHERE run_id = ? AND step > ?`).run(id, step);
      }
      this.#touch(id, 'step = @step', { step });
    })();
  }
}
