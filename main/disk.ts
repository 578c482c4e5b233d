// Disk: file-system failures as error codes, and files that appear whole or not at all.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  type Dirent,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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

/** What an interrupted write, replacement or removal leaves behind: a name that no finished file or folder has. */
const LEFTOVER = /\.(tmp|old)$/;

/**
 * Takes `bytes` of room in a folder, to be given back by the function that it returns when something small must still be
 * written to a full disk. A kill leaves a name that `sweepFolder` knows. Throws disk.full or disk.unwritable.
 */
export function reserveRoom(folder: string, bytes: number): () => void {
  const path = join(folder, 'room.tmp');
  const give = (): void => rmSync(path, { force: true });
  try {
    // Random, so that no file system makes less of it.
    onDisk(path, () => writeFileSync(path, randomBytes(bytes), { flush: true }));
  } catch (error) {
    give();
    throw error;
  }
  return give;
}

/** Removes what was left half-done in a folder when the process died; nothing where there is no such folder. */
export function sweepFolder(folder: string): void {
  onDisk(folder, () => {
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      if (LEFTOVER.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  });
}

/** Removes a folder so that a kill leaves it whole, or with a name that `sweepFolder` knows; nothing where it is not there. */
export function removeWhole(folder: string): void {
  const aside = `${folder}.old`;
  onDisk(folder, () => {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) return;
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  });
}

/** Puts a finished folder where none is and makes that durable. */
export function renameWhole(from: string, to: string): void {
  onDisk(to, () => {
    renameSync(from, to);
    syncFolder(dirname(to));
    if (dirname(from) !== dirname(to)) syncFolder(dirname(from));
  });
}

/**
 * Makes a folder hold just these files. A kill at any moment leaves the old files or the new ones, each whole: a new folder
 * appears with all of them; in one that is there they are replaced one by one, in this order, so what only fits together
 * with another one of the new files must stand before it.
 */
export function writeFolder(folder: string, files: readonly (readonly [name: string, content: string | Uint8Array])[]): void {
  if (existsSync(folder)) {
    for (const [name, content] of files) writeWhole(join(folder, name), content);
    const names = new Set(files.map(([name]) => name));
    onDisk(folder, () => {
      for (const name of readdirSync(folder)) {
        if (!names.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
      }
    });
    return;
  }
  const temporary = `${folder}.tmp`;
  try {
    onDisk(folder, () => {
      rmSync(temporary, { recursive: true, force: true });
      mkdirSync(temporary);
    });
    for (const [name, content] of files) writeWhole(join(temporary, name), content);
    renameWhole(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Bytes of all files under a folder; 0 where there is none. What another process removes meanwhile does not count. */
export function folderBytes(folder: string): number {
  return onDisk(folder, () => {
    let bytes = 0;
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) bytes += folderBytes(path);
      else if (entry.isFile()) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    }
    return bytes;
  });
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
