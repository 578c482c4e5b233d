// Settings: each by its own name, so that one that this version does not understand costs no other.
import type { Db } from './db.ts';

export class SettingsStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** What was set, by name; values that are no JSON are left out. */
  all(): Map<string, unknown> {
    const found = this.#db.prepare<[], { name: string; value: string }>('SELECT name, value FROM settings').all();
    return new Map(
      found.flatMap(({ name, value }): [string, unknown][] => {
        try {
          return [[name, JSON.parse(value)]];
        } catch {
          return [];
        }
      }),
    );
  }

  /** Sets several at once. */
  set(values: Readonly<Record<string, unknown>>): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO settings VALUES (?, ?)');
    this.#db.transaction(() => {
      for (const [name, value] of Object.entries(values)) put.run(name, JSON.stringify(value));
    })();
  }
}
