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

/** How long to wait for other processes that open the same database. */
const BUSY_MS = 30_000;
const RETRY_MS = 20;

function open(path: string): Db {
  const db = new Database(path, { timeout: BUSY_MS });
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    // On macOS only: what is said to be on the disk is not left in the drive's own cache, which a power cut takes.
    db.pragma('fullfsync = ON');
    db.pragma('foreign_keys = ON');
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens again while it is busy: SQLite waits for others by itself, but not where it changes the journal mode. */
function openPatiently(path: string): Db {
  const end = Date.now() + BUSY_MS;
  for (;;) {
    try {
      return open(path);
    } catch (error) {
      const busy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!busy || Date.now() > end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

/**
 * Opens the database, creating it and its folder. Throws home.newer (written by a newer version), home.damaged,
 * disk.unwritable (also where others hold it for too long) or disk.full.
 */
export function openDatabase(path: string): Db {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openPatiently(path);
  } catch (error) {
    const disk = diskError(error, path);
    if (disk !== null) throw disk;
    // SQLite's own complaint is about the file; anything else (a missing binding, say) is not its fault.
    if (error instanceof Database.SqliteError) throw new NamesakeError('home.damaged', error.message, { path });
    throw error;
  }
}
