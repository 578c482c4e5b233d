// Archive: files as one zip, written whole or not at all.
import { createWriteStream, mkdirSync, openSync, rmSync, closeSync, fsyncSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { NamesakeError } from '../../shared/errors.ts';
import { diskError, onDisk, renameWhole } from '../disk.ts';

/** A file and its name in the archive. */
export interface ArchiveEntry {
  /** A base name, or base names parted by /. */
  name: string;
  path: string;
}

/** The same files give the same bytes. */
const NO_TIME = new Date(1980, 0, 1);
const NAME = /^(?!\.)[\w.-]+(?:\/(?!\.)[\w.-]+)*$/;

/**
 * Writes a zip, streaming: nothing is held in memory, and weights, which do not get smaller, are not compressed. Throws
 * disk.full or disk.unwritable and leaves nothing.
 */
export async function writeArchive(path: string, entries: readonly ArchiveEntry[]): Promise<void> {
  const wrong = entries.find(({ name }) => !NAME.test(name));
  if (wrong !== undefined) throw new NamesakeError('internal', `${wrong.name} is no name of an archive's entry`);
  const temporary = `${path}.tmp`;
  onDisk(path, () => mkdirSync(dirname(path), { recursive: true }));
  const zip = new ZipFile();
  try {
    const written = pipeline(zip.outputStream, createWriteStream(temporary));
    // A file that cannot be read ends the archive, and with it what writes it.
    zip.on('error', (error: Error) => (zip.outputStream as NodeJS.ReadableStream & { destroy(error: Error): void }).destroy(error));
    for (const { name, path: file } of entries) {
      zip.addFile(file, name, { mtime: NO_TIME, mode: 0o100644, compress: !name.endsWith('.safetensors') });
    }
    zip.end();
    await written;
    const handle = openSync(temporary, 'r+');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameWhole(temporary, path);
  } catch (error) {
    throw diskError(error, path) ?? error;
  } finally {
    rmSync(temporary, { force: true });
  }
}
