// Database: opens HOME/namesake.db and brings it to this version's schema. Migrations only go forward.
import Database from 'better-sqlite3';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import { diskError } from '../disk.ts';

export type Db = Database.Database;

const migrations: string[] = Object.entries(
  import.meta.glob<string>('./migrations/*.sql', { query: '?raw', import: 'default', eager: true }),
)
  .sort(([a], [b]) => a.localeCompare(b))
  .map(([, sql]) => sql);

/** Version of the schema that this program writes. */
export const schemaVersion = migrations.length;

function migrate(db: Db, path: string): void {
  const read = (): number => db.pragma('user_version', { simple: true }) as number;
  const found = read();
  if (found > schemaVersion) {
    throw new NamesakeError('home.newer', `user_version ${found}`, { path, found, known: schemaVersion });
  }
  if (found === schemaVersion) return;
  // Inside the transaction the version is read again: another process may have been faster.
  db.transaction(() => {
    for (let version = read(); version < schemaVersion; version++) {
      db.exec(migrations[version] ?? '');
      db.pragma(`user_version = ${version + 1}`);
    }
  }).immediate();
}

/**
 * Opens the database, creating it and its folder. Throws home.newer (written by a newer version), home.damaged,
 * disk.unwritable or disk.full.
 */
export function openDatabase(path: string): Db {
  let db: Db | null = null;
  try {
    mkdirSync(dirname(path), { recursive: true });
    db = new Database(path);
    db.pragma('busy_timeout = 5000');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    db.pragma('foreign_keys = ON');
    migrate(db, path);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof NamesakeError) throw error;
    const disk = diskError(error, path);
    if (disk !== null) throw disk;
    // SQLite's own complaint is about the file; anything else (a missing binding, say) is not its fault.
    if (error instanceof Database.SqliteError) throw new NamesakeError('home.damaged', error.message, { path });
    throw error;
  }
}
