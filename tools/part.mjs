// @ts-check
import { createHash } from 'node:crypto';
import { createReadStream, constants } from 'node:fs';
import { open, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Free space that a download leaves to others (a database, a checkpoint), at most and as a share of the file. */
const LEFT_FREE = 64 * 2 ** 20;
const LEFT_FREE_SHARE = 0.1;
/** How much is written between two looks at the free space. */
const ROOM_STEP = 8 * 2 ** 20;

/** @param {number} bytes */
function megabytes(bytes) {
  return bytes < 1e6 ? '1 MB' : `${Math.ceil(bytes / 1e6)} MB`;
}

/**
 * Throws an ENOSPC error with the numbers where `folder`'s disk has less than `bytes` free.
 * @param {string} folder
 * @param {number} bytes
 */
export async function needRoom(folder, bytes) {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const text = `${folder} needs ${megabytes(bytes)} of free disk space and has ${Math.floor(free / 1e6)} MB`;
  throw Object.assign(new Error(text), { code: 'ENOSPC' });
}

/**
 * The same for what a download of `size` bytes still lacks, which is to leave some space to others.
 * @param {string} folder
 * @param {number} missing
 * @param {number} size
 */
export async function needRoomFor(folder, missing, size) {
  if (missing > 0) await needRoom(folder, missing + Math.min(LEFT_FREE, Math.ceil(size * LEFT_FREE_SHARE)));
}

/** @param {string} path of a part */
function notePath(path) {
  return `${path}.json`;
}

/**
 * Where the bytes of a part came from. One that is missing or was cut off says nothing: the hash at the end decides.
 * @param {string} path
 */
async function readNote(path) {
  try {
    const note = JSON.parse(await readFile(notePath(path), 'utf8'));
    return { sha256: String(note.sha256 ?? ''), url: String(note.url ?? ''), tag: String(note.tag ?? '') };
  } catch {
    return { sha256: '', url: '', tag: '' };
  }
}

/** Removes a part and its note. @param {string} path */
export async function removePart(path) {
  await rm(path, { force: true });
  await rm(notePath(path), { force: true });
}

/**
 * A file that is being fetched: what is there of it, with its sha256 so far. What is there is read once, when it is opened;
 * afterwards every byte is hashed as it is written. Beside it lies a note of where the bytes came from.
 */
export class Part {
  #path;
  /** @type {import('node:fs/promises').FileHandle | null} */
  #file = null;
  #hash = createHash('sha256');
  #nextLook = 0;

  /** @param {string} path @param {{ size: number, sha256: string }} whole the file that it is to become */
  constructor(path, whole) {
    this.#path = path;
    this.whole = whole;
    /** Bytes that are there. */
    this.size = 0;
    /** The address and tag of the file that they came from; '' where it is not known. */
    this.url = '';
    this.tag = '';
  }

  /**
   * Opens what an earlier attempt left at `path`; bytes that belong to another file than `whole` are dropped.
   * @param {string} path
   * @param {{ size: number, sha256: string }} whole
   * @returns {Promise<Part>}
   */
  static async open(path, whole) {
    const part = new Part(path, whole);
    part.#file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      const note = await readNote(path);
      part.url = note.url;
      part.tag = note.tag;
      const { size } = await part.#file.stat();
      if (size > whole.size || (note.sha256 !== '' && note.sha256 !== whole.sha256)) await part.restart();
      else if (size > 0) {
        for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 1 << 20 })) part.#hash.update(chunk);
        part.size = size;
      }
      return part;
    } catch (error) {
      await part.close();
      throw error;
    }
  }

  get #handle() {
    if (this.#file === null) throw new Error('the part is closed');
    return this.#file;
  }

  /** Whether all bytes are there. */
  get full() {
    return this.size === this.whole.size;
  }

  /** sha256 of the bytes that are there. */
  digest() {
    return this.#hash.copy().digest('hex');
  }

  /** Throws ENOSPC where what is missing would not leave some space to others. */
  async needRoom() {
    const { size } = this.whole;
    await needRoomFor(dirname(this.#path), size - this.size, size);
  }

  /**
   * Notes where the next bytes come from.
   * @param {string} url @param {string} tag
   */
  async from(url, tag) {
    if (url === this.url && tag === this.tag) return;
    this.url = url;
    this.tag = tag;
    await writeFile(notePath(this.#path), JSON.stringify({ sha256: this.whole.sha256, url, tag }));
  }

  /** Adds bytes at the end. A disk that becomes full keeps what fitted, and says so as ENOSPC. @param {Buffer} bytes */
  async append(bytes) {
    if (this.size >= this.#nextLook) {
      await this.needRoom();
      this.#nextLook = this.size + ROOM_STEP;
    }
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.size);
      this.#hash.update(bytes.subarray(at, at + bytesWritten));
      at += bytesWritten;
      this.size += bytesWritten;
    }
  }

  /** Drops what is there. */
  async restart() {
    await this.#handle.truncate(0);
    this.size = 0;
    this.url = '';
    this.tag = '';
    this.#nextLook = 0;
    this.#hash = createHash('sha256');
    await rm(notePath(this.#path), { force: true });
  }

  /** Makes what is there durable. */
  async sync() {
    await this.#handle.sync();
  }

  async close() {
    await this.#file?.close();
    this.#file = null;
  }
}
