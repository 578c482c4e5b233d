// Runs: the rows of the database about runs, their metrics, checkpoints and probes.
import type { RunProgress } from '../../shared/api.ts';
import { NamesakeError, type ErrorParams } from '../../shared/errors.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import type { RunResult } from '../../shared/run-events.ts';
import {
  activeStatuses,
  scoresSchema,
  statusesBefore,
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
  /** The values that the words of its error need. */
  error_params: ErrorParams;
  /** Once there is one; of the last time that it came to an end. */
  result: RunResult | null;
  /** What it is doing, while it goes on in this process or another. */
  progress: RunProgress | null;
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
  error_params: string | null;
  result: string | null;
  progress: string | null;
}

/** SQL's list of these texts, which are this program's own words. */
function listed(texts: readonly string[]): string {
  return `(${texts.map((text) => `'${text}'`).join(', ')})`;
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
    error_params: row.error_params === null ? {} : (JSON.parse(row.error_params) as ErrorParams),
    result: row.result === null ? null : (JSON.parse(row.result) as RunResult),
    progress: row.progress === null || !activeStatuses.includes(row.status) ? null : (JSON.parse(row.progress) as RunProgress),
  };
}

export class RunStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /**
   * Makes a change that is on the disk when this returns, with all changes before it: the others wait for the system to
   * write them, and a power cut takes the last of them back.
   */
  #durably<T>(change: () => T): T {
    if (this.#db.inTransaction) return change();
    this.#db.pragma('synchronous = FULL');
    try {
      return change();
    } finally {
      this.#db.pragma('synchronous = NORMAL');
    }
  }

  #touch(id: string, change: string, values: Record<string, string | number | null>): void {
    this.#db
      .prepare(`UPDATE runs SET ${change}, updated_at = @now WHERE id = @id`)
      .run({ ...values, id, now: new Date().toISOString() });
  }

  /** Changes the status, with what goes with it, where the table of transitions has a way from the present one. */
  #go(id: string, status: RunStatus, change = '', values: Record<string, string | number | null> = {}): void {
    const { changes } = this.#durably(() =>
      this.#db
        .prepare(
          `UPDATE runs SET status = @status, progress = NULL, error_code = NULL, error_detail = NULL, error_params = NULL${change},
           updated_at = @now WHERE id = @id AND deleted_at IS NULL AND status IN ${listed(statusesBefore(status))}`,
        )
        .run({ ...values, status, id, now: new Date().toISOString() }),
    );
    if (changes === 0) throw new NamesakeError('internal', `run ${id} is ${this.get(id).status}: it cannot become ${status}`);
  }

  create(id: string, recipe: Recipe): void {
    const now = new Date().toISOString();
    this.#durably(() =>
      this.#db
        .prepare(
          `INSERT INTO runs (id, name, status, recipe, steps, created_at, updated_at)
           VALUES (?, ?, 'preparing', ?, ?, ?, ?)`,
        )
        .run(id, recipe.name, JSON.stringify(recipe), recipe.steps, now, now),
    );
  }

  /** Newest first, without deleted ones. */
  list(): RunRecord[] {
    return this.#db
      .prepare<[], RunRow>('SELECT * FROM runs WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC')
      .all()
      .map(toRecord);
  }

  /** Every run that there is, at one moment: its status, and when it was deleted. */
  known(): Map<string, { status: RunStatus; deleted: Date | null }> {
    const rows = this.#db
      .prepare<[], { id: string; status: RunStatus; deleted_at: string | null }>('SELECT id, status, deleted_at FROM runs')
      .all();
    return new Map(rows.map(({ id, status, deleted_at }) => [id, { status, deleted: deleted_at === null ? null : new Date(deleted_at) }]));
  }

  /** Throws run.unknown, for deleted runs too. */
  get(id: string): RunRecord {
    const row = this.#db.prepare<[string], RunRow>('SELECT * FROM runs WHERE id = ? AND deleted_at IS NULL').get(id);
    if (row === undefined) throw new NamesakeError('run.unknown', id, { run: id });
    return toRecord(row);
  }

  /** Throws `internal` where the table of transitions has no way there. */
  setStatus(id: string, status: Exclude<RunStatus, 'failed' | 'done'>): void {
    this.#go(id, status);
  }

  fail(id: string, error: NamesakeError): void {
    this.#go(id, 'failed', ', error_code = @code, error_detail = @detail, error_params = @params', {
      code: error.code,
      detail: error.detail,
      params: JSON.stringify(error.params),
    });
  }

  /** The last change of a run: its adapter is in place. */
  finish(id: string, status: 'done' | 'stopped', chosen_step: number, result: RunResult): void {
    this.#go(id, status, ', chosen_step = @chosen_step, result = @result, choosing = NULL', { chosen_step, result: JSON.stringify(result) });
  }

  /** Writes down that a run that came to its end is to have another result; `choose` makes it so. Throws run.active. */
  beginChoosing(id: string, result: RunResult): void {
    const { changes } = this.#durably(() =>
      this.#db
        .prepare(`UPDATE runs SET choosing = ? WHERE id = ? AND deleted_at IS NULL AND status NOT IN ${listed(activeStatuses)}`)
        .run(JSON.stringify(result), id),
    );
    if (changes === 0) throw new NamesakeError('run.active', id, { run: id });
  }

  /** Runs whose next result is written down, and the step that it is of. */
  choosing(): { run: string; step: number }[] {
    return this.#db
      .prepare<[], { run: string; step: number }>(
        "SELECT id AS run, json_extract(choosing, '$.chosen_step') AS step FROM runs WHERE choosing IS NOT NULL AND deleted_at IS NULL",
      )
      .all();
  }

  /** The result that was written down is the run's own: its adapter is in place. */
  choose(id: string): void {
    this.#durably(() =>
      this.#db
        .prepare(
          `UPDATE runs SET chosen_step = json_extract(choosing, '$.chosen_step'), result = choosing, choosing = NULL, updated_at = @now
           WHERE id = @id AND choosing IS NOT NULL`,
        )
        .run({ id, now: new Date().toISOString() }),
    );
  }

  /** Takes back that a run is to have another result. */
  endChoosing(id: string): void {
    this.#db.prepare('UPDATE runs SET choosing = NULL WHERE id = ?').run(id);
  }

  setSteps(id: string, steps: number): void {
    this.#touch(id, 'steps = @steps', { steps });
  }

  /** What a run that goes on is doing, for other processes to see. */
  setProgress(id: string, progress: RunProgress): void {
    this.#db
      .prepare(`UPDATE runs SET progress = ? WHERE id = ? AND status IN ${listed(activeStatuses)}`)
      .run(JSON.stringify(progress), id);
  }

  rename(id: string, name: string): void {
    this.get(id);
    this.#touch(id, 'name = @name', { name });
  }

  /**
   * How long the newest finished run from the model `ref` took, in seconds; null where there is none. One that was resumed
   * knows only how long its last part took: its steps alone took longer than that, and it does not count.
   */
  madeSeconds(ref: string): number | null {
    const row = this.#db
      .prepare<[string], { seconds: number }>(
        `SELECT json_extract(result, '$.seconds') AS seconds FROM runs WHERE status = 'done' AND json_extract(recipe, '$.model.ref') = ?
           AND seconds >= (SELECT total(tokens / tokens_per_second) FROM metrics WHERE run_id = runs.id)
         ORDER BY created_at DESC, id DESC LIMIT 1`,
      )
      .get(ref);
    return row?.seconds ?? null;
  }

  /** The run that claims to go on, if any: one process trains at a time. */
  get active(): string | null {
    return this.#db.prepare<[], { id: string }>(`SELECT id FROM runs WHERE status IN ${listed(activeStatuses)} LIMIT 1`).get()?.id ?? null;
  }

  /** Whether a run claims to go on. */
  get anyActive(): boolean {
    return this.active !== null;
  }

  /** Runs that claim to go on although no process holds the trainer's lock. */
  markInterrupted(): void {
    this.#db
      .prepare(`UPDATE runs SET status = 'interrupted', progress = NULL WHERE status IN ${listed(statusesBefore('interrupted'))}`)
      .run();
  }

  /** Hides a run until it is brought back or forgotten; false where it goes on. Throws run.unknown. */
  markDeleted(id: string, at: Date): boolean {
    this.get(id);
    return this.#durably(() =>
      this.#db
        .prepare(`UPDATE runs SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL AND status NOT IN ${listed(activeStatuses)}`)
        .run(at.toISOString(), id),
    ).changes > 0;
  }

  /** Ids of deleted runs, and when they were deleted. */
  deleted(): Map<string, Date> {
    return new Map([...this.known()].flatMap(([id, { deleted }]) => (deleted === null ? [] : [[id, deleted]])));
  }

  /** Names of deleted runs, the last one first, and when they were deleted. */
  deletedNames(): { run: string; name: string; at: Date }[] {
    return this.#db
      .prepare<[], { id: string; name: string; deleted_at: string }>('SELECT id, name, deleted_at FROM runs WHERE deleted_at IS NOT NULL ORDER BY deleted_at DESC')
      .all()
      .map(({ id, name, deleted_at }) => ({ run: id, name, at: new Date(deleted_at) }));
  }

  markUndeleted(id: string): void {
    this.#durably(() => this.#db.prepare('UPDATE runs SET deleted_at = NULL WHERE id = ?').run(id));
  }

  /** Removes all that is known of a run. */
  forget(id: string): void {
    this.#durably(() => this.#db.prepare('DELETE FROM runs WHERE id = ?').run(id));
  }

  /** Takes a run in that was found on the disk alone: interrupted, with these checkpoints. */
  adopt(id: string, recipe: Recipe, steps: readonly number[]): void {
    const change = this.#db.transaction(() => {
      this.create(id, recipe);
      this.#touch(id, `status = 'interrupted', step = @step`, { step: Math.max(0, ...steps) });
      for (const step of steps) this.addCheckpoint(id, step);
    });
    this.#durably(change);
  }

  addMetric(id: string, metric: StepMetric): void {
    this.#db.transaction(() => {
      this.#db
        .prepare('INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(id, metric.step, metric.loss, metric.grad_norm, metric.lr, metric.tokens, metric.tokens_per_second);
      this.#touch(id, 'step = @step', { step: metric.step });
    })();
  }

  /** Every step behind `after`, in order. */
  metrics(id: string, after = 0): Omit<StepMetric, 'eta_seconds'>[] {
    return this.#db
      .prepare<[string, number], Omit<StepMetric, 'eta_seconds'>>(
        'SELECT step, loss, grad_norm, lr, tokens, tokens_per_second FROM metrics WHERE run_id = ? AND step > ? ORDER BY step',
      )
      .all(id, after);
  }

  /** How many steps up to `step` were measured. */
  measuredUpTo(id: string, step: number): number {
    const sql = 'SELECT count(*) AS count FROM metrics WHERE run_id = ? AND step <= ?';
    return this.#db.prepare<[string, number], { count: number }>(sql).get(id, step)?.count ?? 0;
  }

  /**
   * A checkpoint whose folder is in place, and what its files hash to where that is known. What was measured up to it is on
   * the disk as well afterwards.
   */
  addCheckpoint(id: string, step: number, sha256: string | null = null): void {
    this.#durably(() =>
      this.#db.prepare('INSERT OR IGNORE INTO checkpoints (run_id, step, sha256) VALUES (?, ?, ?)').run(id, step, sha256),
    );
  }

  /** What the files of a checkpoint hashed to when they were saved; null where that is not known. */
  checkpointSha256(id: string, step: number): string | null {
    const sql = 'SELECT sha256 FROM checkpoints WHERE run_id = ? AND step = ?';
    return this.#db.prepare<[string, number], { sha256: string | null }>(sql).get(id, step)?.sha256 ?? null;
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

  /** Verdicts on the answers of every run's chosen checkpoint. */
  chosenVerdicts(): Map<string, Pick<ScoredProbe, 'kind' | 'hit'>[]> {
    const rows = this.#db
      .prepare<[], { id: string; kind: ScoredProbe['kind']; hit: number }>(
        'SELECT runs.id, probes.kind, probes.hit FROM runs JOIN probes ON probes.run_id = runs.id AND probes.step = runs.chosen_step WHERE deleted_at IS NULL',
      )
      .all();
    const found = new Map<string, Pick<ScoredProbe, 'kind' | 'hit'>[]>();
    for (const { id, kind, hit } of rows) {
      const own = found.get(id) ?? [];
      own.push({ kind, hit: hit === 1 });
      found.set(id, own);
    }
    return found;
  }

  /** Forgets what came after `step`: a resumed run measures it again. */
  rewind(id: string, step: number): void {
    const change = this.#db.transaction(() => {
      for (const table of ['metrics', 'checkpoints', 'probes']) {
        this.#db.prepare(`DELETE FROM ${table} WHERE run_id = ? AND step > ?`).run(id, step);
      }
      this.#touch(id, 'step = @step', { step });
    });
    this.#durably(change);
  }
}
