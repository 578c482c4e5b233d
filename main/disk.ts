// Disk: file-system failures as error codes, and files that appear whole or not at all.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { NamesakeError } from '../shared/errors.ts';

/** disk.full or disk.unwritable for errors of the file system or of SQLite that mean so; null for others. */
export function diskError(error: unknown, path: string): NamesakeError | null {
  if (error instanceof NamesakeError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const detail = `${path}: ${error instanceof Error ? error.message : code}`;
  // SQLite says SHMSIZE where its write-ahead index finds no room.
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL|SQLITE_IOERR_SHMSIZE)/.test(code)) return new NamesakeError('disk.full', detail);
  if (/^(EACCES|EPERM|EROFS|ENOTDIR|ENOENT|EEXIST|EISDIR|SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_IOERR|SQLITE_BUSY)/.test(code)) {
    return new NamesakeError('disk.unwritable', detail);
  }
  return null;
}

/** Runs file work and throws its failures as disk.full or disk.unwritable. */
export function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, path) ?? error;
  }
}

/** The text of a file that the person named. Throws `code` with its absolute path where it cannot be read. */
export function readText(path: string, code: 'rows.unreadable' | 'recipe.unreadable'): string {
  const absolute = resolve(path);
  try {
    return readFileSync(absolute, 'utf8');
  } catch (error) {
    throw new NamesakeError(code, error instanceof Error ? error.message : String(error), { path: absolute });
  }
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes a file to a temporary name, fsyncs and renames it. Throws disk.full or disk.unwritable and leaves nothing. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.tmp`;
  onDisk(path, () => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const handle = openSync(temporary, 'w');
    try {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(temporary, path);
      syncFolder(dirname(path));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}

/** Renames a finished folder into place and makes that durable. */
export function renameWhole(from: string, to: string): void {
  onDisk(to, () => {
    rmSync(to, { recursive: true, force: true });
    renameSync(from, to);
    syncFolder(dirname(to));
  });
}
