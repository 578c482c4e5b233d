// Model files: what is known of them (sha256, who uses them), and where those go that a person added. A model may be a folder of
// files.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isRunning, thisProcess } from '../../tools/lock.mjs';
import { needRoom } from '../../tools/part.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import { diskError, onDisk } from '../disk.ts';
import type { Home } from '../home.ts';
import type { ModelStore } from '../store/models.ts';
import { modelParts, partsSha256 } from './model-parts.ts';

/** Hears how many bytes of a model were read. */
export type OnBytes = (done: number, total: number) => void;

/** Whether `path` lies under `folder`. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !way.startsWith('..') && !/^([a-z]:|[\\/])/i.test(way);
}

export class ModelFiles {
  readonly #home: Home;
  readonly #store: ModelStore;
  #uses = 0;

  constructor(home: Home, store: ModelStore) {
    this.#home = home;
    this.#store = store;
  }

  /**
   * sha256 of a model: of its file, or of its folder's parts (model-parts.ts). What has the same size and time as when it was
   * read last is not read again; `onBytes` hears of what is. Throws model.unreadable.
   */
  async sha256(path: string, onBytes: OnBytes = () => undefined): Promise<string> {
    try {
      if (!statSync(path).isDirectory()) return await this.#fileSha256(path, onBytes);
      const parts = modelParts(path);
      const total = parts.reduce((sum, { size }) => sum + size, 0);
      const hashed: Parameters<typeof partsSha256>[0][number][] = [];
      let done = 0;
      for (const part of parts) {
        const before = done;
        hashed.push({ ...part, sha256: await this.#fileSha256(part.path, (read) => onBytes(before + read, total)) });
        done += part.size;
      }
      return partsSha256(hashed);
    } catch (error) {
      if (error instanceof NamesakeError || (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE'))) throw error;
      throw new NamesakeError('model.unreadable', error instanceof Error ? error.message : String(error));
    }
  }

  async #fileSha256(path: string, onBytes: OnBytes): Promise<string> {
    const { size, mtimeMs } = statSync(path);
    const known = this.#store.fileHash(path, size, mtimeMs);
    if (known !== undefined) return known;
    const hash = createHash('sha256');
    let read = 0;
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      read += chunk.length;
      onBytes(read, size);
    }
    const found = hash.digest('hex');
    // One that was written to meanwhile is not remembered.
    const after = statSync(path);
    if (after.size === size && after.mtimeMs === mtimeMs) this.#store.addFileHash(path, size, mtimeMs, found);
    return found;
  }

  /** Files that a person handed over and that lie in the home since. */
  get ownFolder(): string {
    return join(this.#home.folder, 'models', 'own');
  }

  /**
   * Where a file that was handed over stays: one that came in through a door is moved to the home's own models under a free
   * name, any other stays where it is. Throws disk.full or disk.unwritable.
   */
  async keep(path: string, id: string): Promise<string> {
    if (!isInside(this.#home.uploads, path)) return path;
    onDisk(this.ownFolder, () => mkdirSync(this.ownFolder, { recursive: true }));
    let kept = join(this.ownFolder, `${id}.gguf`);
    for (let n = 2; existsSync(kept); n++) kept = join(this.ownFolder, `${id}-${n}.gguf`);
    try {
      await this.#move(path, kept);
    } catch (error) {
      rmSync(kept, { force: true });
      throw diskError(error, kept) ?? error;
    }
    return kept;
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      renameSync(from, to);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
      await needRoom(this.ownFolder, statSync(from).size);
      await copyFile(from, to);
      rmSync(from);
    }
  }

  /** Removes a file that lies among the home's own models; others are the person's and stay. Returns the bytes that are free now. */
  removeOwn(path: string): number {
    if (!isInside(this.ownFolder, path)) return 0;
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    onDisk(path, () => rmSync(path, { force: true }));
    return size;
  }

  /**
   * Removes what was quantised of any model: whose a file is only weights could tell, and what is still wanted is made again in
   * seconds. One that the system does not let go of stays. Returns the bytes that are free now.
   */
  removeQuantized(): number {
    let freed = 0;
    for (const name of existsSync(this.#home.quantized) ? readdirSync(this.#home.quantized) : []) {
      const path = join(this.#home.quantized, name);
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      try {
        rmSync(path, { force: true });
        freed += size;
      } catch {
        // In use (Windows): it goes with the next model.
      }
    }
    return freed;
  }

  get #usesFolder(): string {
    return join(this.#home.folder, 'models', '.uses');
  }

  /** Notes that this process has a model's file open, for all processes of the home, until the returned function is called. */
  use(path: string): () => void {
    const note = join(this.#usesFolder, `${process.pid}-${this.#uses++}.json`);
    onDisk(this.#usesFolder, () => {
      mkdirSync(this.#usesFolder, { recursive: true });
      writeFileSync(note, JSON.stringify({ ...thisProcess(), path }));
    });
    return () => rmSync(note, { force: true });
  }

  /** Whether a living process has a file under `path` (or that file) open. Notes of processes that died go. */
  inUse(path: string): boolean {
    if (!existsSync(this.#usesFolder)) return false;
    let found = false;
    for (const name of readdirSync(this.#usesFolder)) {
      const note = join(this.#usesFolder, name);
      try {
        const use = JSON.parse(readFileSync(note, 'utf8')) as { pid: number; start: string | null; path: string };
        if (!isRunning(use)) rmSync(note, { force: true });
        else if (use.path === path || isInside(path, use.path)) found = true;
      } catch (error) {
        // Being written or removed this moment.
        if (!(error instanceof SyntaxError) && !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      }
    }
    return found;
  }
}
