// Models: files that the person added, and what base models answered.
import type { BaseAnswer } from '../../shared/row.ts';
import type { Db } from './db.ts';

export interface AddedModel {
  id: string;
  path: string;
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
