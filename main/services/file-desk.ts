// File desk: files that a person handed over, and files that are ready for them to take. Windows know them by ids that say
// nothing about where they lie.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import { onDisk } from '../disk.ts';
import { isModelFolder } from './model-parts.ts';

export interface DeskFile {
  path: string;
  /** As the person knows it: a base name without control characters. */
  name: string;
}

interface Received extends DeskFile {
  temporary: boolean;
}

/** More files than a person has in mind; the oldest ones are forgotten. */
const MOST_FILES = 100;
const LONGEST_NAME = 120;
/** What was left behind by a program that died is older than any upload that is still under way. */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1000;

/** The last part of a name from elsewhere (either kind of slash), without what a file system or a header stumbles over. */
export function plainName(name: string): string {
  const last = basename(name.replaceAll('\\', '/'))
    .normalize('NFC')
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}<>:"|?*]/gu, '')
    .trim();
  const short = Array.from(last).slice(-LONGEST_NAME).join('');
  return /^\.*$/.test(short) ? 'file' : short;
}

function newId(): string {
  return randomBytes(16).toString('hex');
}

export class FileDesk {
  readonly #folder: string;
  readonly #received = new Map<string, Received>();
  readonly #offered = new Map<string, DeskFile>();

  /** `folder` is where files are written that come in through a door. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A free path for a file that is coming in; `receive` takes it as temporary. Throws disk.full or disk.unwritable. */
  temporaryPath(): string {
    onDisk(this.#folder, () => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const held = new Set([...this.#received.values()].map(({ path }) => path));
      for (const name of readdirSync(this.#folder)) {
        const path = join(this.#folder, name);
        const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity };
        if (!held.has(path) && mtimeMs < Date.now() - LEFT_BEHIND_MS) rmSync(path, { force: true });
      }
    });
    return join(this.#folder, newId());
  }

  /**
   * Takes note of a file (or of a folder with a model) that the person handed over and gives its id. A temporary one is removed
   * when it is dropped or the desk closes. Throws file.unknown where there is no such file.
   */
  receive(path: string, name: string, options: { temporary: boolean }): string {
    const isThere = statSync(path, { throwIfNoEntry: false })?.isFile() === true || (!options.temporary && isModelFolder(path));
    if (!isThere) throw new NamesakeError('file.unknown', 'no such file');
    const id = newId();
    this.#received.set(id, { path, name: plainName(name), temporary: options.temporary });
    const oldest = this.#received.keys().next();
    if (this.#received.size > MOST_FILES && !oldest.done) this.drop(oldest.value);
    return id;
  }

  /** A file that was handed over; it can be taken again until it is dropped. Throws file.unknown. */
  take(id: string): DeskFile {
    const file = this.#received.get(id);
    if (file === undefined) throw new NamesakeError('file.unknown', 'no file was handed over under this id');
    return { path: file.path, name: file.name };
  }

  /** Forgets a file that was handed over. */
  drop(id: string): void {
    const file = this.#received.get(id);
    this.#received.delete(id);
    if (file?.temporary === true) rmSync(file.path, { force: true });
  }

  /** Makes a file of this machine ready to be taken through a door, and gives its id. */
  offer(path: string, name: string): string {
    const id = newId();
    this.#offered.set(id, { path, name: plainName(name) });
    const oldest = this.#offered.keys().next();
    if (this.#offered.size > MOST_FILES && !oldest.done) this.#offered.delete(oldest.value);
    return id;
  }

  /** A file that is ready to be taken. Throws file.unknown. */
  opened(id: string): DeskFile {
    const file = this.#offered.get(id);
    if (file === undefined) throw new NamesakeError('file.unknown', 'no file is ready under this id');
    return file;
  }

  /** Forgets all files and removes the temporary ones. */
  close(): void {
    for (const id of [...this.#received.keys()]) this.drop(id);
    this.#offered.clear();
  }
}
