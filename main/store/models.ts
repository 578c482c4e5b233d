// Models: files that the person added, what hubs hold, hashes of files, licences that were accepted, and what base models answered.
import { hubModelSchema, type HubModel } from '../../shared/model.ts';
import type { BaseAnswer } from '../../shared/row.ts';
import type { Db } from './db.ts';

export interface AddedModel {
  id: string;
  path: string;
}

/** undefined for one that is none: a program that was less strict may have written it, and the hub can be asked again. */
function readHubModel(text: string): HubModel | undefined {
  return hubModelSchema.safeParse(JSON.parse(text)).data;
}

export class ModelStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  add(model: AddedModel): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO models VALUES (?, ?, ?)')
      .run(model.id, model.path, new Date().toISOString());
  }

  list(): AddedModel[] {
    return this.#db.prepare<[], AddedModel>('SELECT id, path FROM models ORDER BY id').all();
  }

  find(id: string): AddedModel | undefined {
    return this.#db.prepare<[string], AddedModel>('SELECT id, path FROM models WHERE id = ?').get(id);
  }

  /** Forgets a file that was added; false where there was none of that id. */
  remove(id: string): boolean {
    return this.#db.prepare('DELETE FROM models WHERE id = ?').run(id).changes > 0;
  }

  /** What a REF to a hub (or a catalogue id whose checksum the hub states) turned out to be. */
  hubModel(ref: string): HubModel | undefined {
    const row = this.#db.prepare<[string], { model: string }>('SELECT model FROM hub_models WHERE ref = ?').get(ref);
    return row === undefined ? undefined : readHubModel(row.model);
  }

  /** Remembered REFs with what they are, in order. */
  hubModels(): { ref: string; model: HubModel }[] {
    return this.#db
      .prepare<[], { ref: string; model: string }>('SELECT ref, model FROM hub_models ORDER BY ref')
      .all()
      .flatMap((row) => {
        const model = readHubModel(row.model);
        return model === undefined ? [] : [{ ref: row.ref, model }];
      });
  }

  addHubModel(ref: string, model: HubModel): void {
    this.#db.prepare('INSERT OR REPLACE INTO hub_models VALUES (?, ?)').run(ref, JSON.stringify(model));
  }

  /** False where the REF was not known. */
  removeHubModel(ref: string): boolean {
    return this.#db.prepare('DELETE FROM hub_models WHERE ref = ?').run(ref).changes > 0;
  }

  /** sha256 of a file that was read before and has the same size and time since. */
  fileHash(path: string, size: number, mtime_ms: number): string | undefined {
    return this.#db
      .prepare<[string, number, number], { sha256: string }>(
        'SELECT sha256 FROM file_hashes WHERE path = ? AND size = ? AND mtime_ms = ?',
      )
      .get(path, size, mtime_ms)?.sha256;
  }

  addFileHash(path: string, size: number, mtime_ms: number, sha256: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO file_hashes VALUES (?, ?, ?, ?)').run(path, size, mtime_ms, sha256);
  }

  /** Whether a model's licence was accepted: this very one. */
  licenceAccepted(model: string, licence: string): boolean {
    return this.#db.prepare('SELECT 1 FROM licences WHERE model = ? AND licence = ?').get(model, licence) !== undefined;
  }

  acceptLicence(model: string, licence: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO licences VALUES (?, ?, ?)').run(model, licence, new Date().toISOString());
  }

  /** REFs of the runs that are going on, as far as the database knows: a process that died may have left some. */
  trainedRefs(): string[] {
    return this.#db
      .prepare<[], { ref: string }>(
        `SELECT DISTINCT json_extract(recipe, '$.model.ref') AS ref FROM runs WHERE status IN ('preparing', 'running')`,
      )
      .all()
      .map(({ ref }) => ref);
  }

  /** Remembered base answers of a model (by fingerprint) under one system text. */
  baseAnswers(model: string, system: string | null, max_tokens: number): Map<string, BaseAnswer> {
    const rows = this.#db
      .prepare<[string, string | null, number], { question: string; answer: string; cut: number }>(
        'SELECT question, answer, cut FROM base_answers WHERE model = ? AND system IS ? AND max_tokens = ?',
      )
      .all(model, system, max_tokens);
    return new Map(rows.map(({ question, answer, cut }) => [question, { text: answer, cut: cut === 1 }]));
  }

  addBaseAnswers(
    model: string,
    system: string | null,
    max_tokens: number,
    answers: Iterable<readonly [string, BaseAnswer]>,
  ): void {
    const insert = this.#db.prepare('INSERT OR REPLACE INTO base_answers VALUES (?, ?, ?, ?, ?, ?)');
    this.#db.transaction(() => {
      for (const [question, { text, cut }] of answers) insert.run(model, system, question, max_tokens, text, cut ? 1 : 0);
    })();
  }
}
