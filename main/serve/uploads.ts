// Uploads: a file from the browser on its way to the file desk, streamed to the disk and within limits of size, number and space.
import { createWriteStream } from 'node:fs';
import { rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NamesakeError } from '../../shared/errors.ts';
import type { HandedFile } from '../../shared/window-api.ts';
import type { Core } from '../core.ts';
import { diskError } from '../disk.ts';
import type { Session } from './auth.ts';

const MB = 1_000_000;
/** Room that an upload leaves on the disk: checkpoints and the database need it more. */
const SPARE_BYTES = 256 * MB;

export interface UploadLimits {
  /** Bytes of a model file (.gguf). */
  model: number;
  /** Bytes of any other file. */
  other: number;
  /** How many come in at the same time, over all sessions. */
  together: number;
}

export const uploadLimits: UploadLimits = { model: 8_000 * MB, other: 64 * MB, together: 4 };

/** What is known of an upload before its first byte. */
export interface Upload {
  name: string;
  /** Bytes as announced; null where the browser did not say. */
  length: number | null;
  body: Readable;
}

export class Uploads {
  readonly #core: Pick<Core, 'files'>;
  readonly #limits: UploadLimits;
  #running = 0;

  constructor(core: Pick<Core, 'files'>, limits: UploadLimits = uploadLimits) {
    this.#core = core;
    this.#limits = limits;
  }

  /**
   * Streams the body to the disk and hands the file to the desk; its id and name there. What does not arrive whole is removed.
   * Throws request.invalid, request.too_many, file.too_large, disk.full, disk.unwritable; cancelled where the browser went away.
   */
  async take(session: Session, { name, length, body }: Upload): Promise<HandedFile> {
    if (name === '' || name.length > 255) throw new NamesakeError('request.invalid', 'a file needs a name of 1 to 255 characters');
    const limit = /\.gguf$/i.test(name) ? this.#limits.model : this.#limits.other;
    const tooLarge = (): NamesakeError => new NamesakeError('file.too_large', 'the file is over the limit', { limit: limit / MB });
    if (length !== null && length > limit) throw tooLarge();
    if (session.uploading) throw new NamesakeError('request.too_many', 'another file of this session is on its way in');
    if (this.#running >= this.#limits.together) throw new NamesakeError('request.too_many', 'enough files are on their way in');
    session.uploading = true;
    this.#running += 1;
    try {
      return await this.#write(name, length, body, limit, tooLarge);
    } finally {
      session.uploading = false;
      this.#running -= 1;
    }
  }

  async #write(name: string, length: number | null, body: Readable, limit: number, tooLarge: () => NamesakeError): Promise<HandedFile> {
    // Asked for anew: deleting everything puts another desk in its place.
    const desk = this.#core.files;
    const path = desk.temporaryPath();
    const part = `${path}.part`;
    let received = 0;
    // The body is not destroyed with what reads it: its connection still has the answer to carry.
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        received += chunk.length;
        if (received > limit) throw tooLarge();
        yield chunk;
      }
    };
    try {
      await this.#needRoom(part, length ?? 0);
      await pipeline(counted, createWriteStream(part, { flags: 'wx', mode: 0o600 }));
      // A body that ends early by its announced length is one that was cut off.
      if (length !== null && received !== length) throw new NamesakeError('cancelled', 'the upload was cut off');
      await rename(part, path);
      const file = desk.receive(path, name, { temporary: true });
      return { file, name: desk.take(file).name };
    } catch (error) {
      await Promise.all([rm(part, { force: true }), rm(path, { force: true })]);
      if (error instanceof NamesakeError) throw error;
      if (body.destroyed) throw new NamesakeError('cancelled', 'the upload was cut off');
      const known = diskError(error, 'uploads');
      throw known === null ? error : new NamesakeError(known.code, 'while a file came in');
    }
  }

  async #needRoom(path: string, length: number): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(path));
    if (bavail * bsize < length + SPARE_BYTES) throw new NamesakeError('disk.full', 'no room for a file to come in');
  }
}
