// @ts-check
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { AddressError, open } from './http.mjs';

/** Bytes that wait to be written before the server is asked to wait. */
const MOST_WAITING = 4 * 2 ** 20;
/** What has to come within the idle time; a server that drips is a server that stopped. */
const LEAST_ARRIVING = 512;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Why an address did not give the file, where another attempt at it will not help: it wants to know who asks (`denied`), has
 * no such file (`missing`), has another file (`wrong`), cannot be reached or keeps failing (`lost`).
 */
export class DownloadError extends Error {
  /** @param {'denied' | 'missing' | 'wrong' | 'lost'} why @param {string} message */
  constructor(why, message) {
    super(message);
    this.why = why;
  }
}

/** The server asks to come again later. */
class BusyError extends Error {
  /** @param {string} message @param {number} waitMs */
  constructor(message, waitMs) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * Whether an error is the file system's and not the network's.
 * @param {unknown} error
 */
function isDiskError(error) {
  const { code = '', syscall = '' } = /** @type {NodeJS.ErrnoException} */ (error);
  return /^(ENOSPC|EDQUOT|EFBIG|EIO|EROFS|EACCES|EPERM|ENOENT|ENOTDIR|EISDIR|EMFILE)$/.test(code) && syscall !== 'connect';
}

/**
 * Where a file lies, and what shows there who asks.
 * @typedef {{ url: string, credentials?: import('./http.mjs').Credentials | null }} Address
 *
 * @typedef {{
 *   onBytes: (bytes: number) => void,
 *   signal?: AbortSignal | undefined,
 *   attempts?: number,
 *   pauseMs?: number,
 *   longestWaitMs?: number,
 *   idleMs?: number,
 *   headMs?: number,
 *   env?: NodeJS.ProcessEnv,
 * }} DownloadOptions
 */

/**
 * Milliseconds that a Retry-After header asks for (seconds or a date); null where there is none.
 * @param {string | undefined} header
 */
function retryAfter(header) {
  if (header === undefined) return null;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null;
}

/** @param {import('node:http').IncomingMessage} reply */
function refuseStatus(reply) {
  const status = reply.statusCode ?? 0;
  if (status === 200 || status === 206) return;
  const text = `the server answered ${status}`;
  if (status === 401 || status === 403) throw new DownloadError('denied', text);
  if (status === 429 || status === 503) throw new BusyError(text, retryAfter(reply.headers['retry-after']) ?? 0);
  if (status >= 500 || status === 408) throw new Error(text);
  throw new DownloadError('missing', text);
}

/** @param {number} found @param {number} size */
function refuseSize(found, size) {
  if (found !== size) throw new DownloadError('wrong', `the server's file has ${found} bytes, not ${size}`);
}

/**
 * Checks what the server is about to send against what was asked for and returns how many bytes of it are there already (a
 * server that cannot send parts begins at the beginning). Where the file behind the address is another one than before,
 * what is there is dropped.
 * @param {import('node:http').IncomingMessage} reply
 * @param {import('./part.mjs').Part} part
 * @param {string} url
 * @returns {Promise<number>}
 */
async function agree(reply, part, url) {
  const { size } = part.whole;
  if (reply.statusCode === 416 && part.size > 0) {
    // Another file than ours, which says nothing about the bytes that are there.
    const [, total] = /^bytes \*\/(\d+)$/.exec(reply.headers['content-range'] ?? '') ?? [];
    if (total !== undefined) refuseSize(Number(total), size);
    await part.restart();
    throw new Error('the server answered 416');
  }
  refuseStatus(reply);
  const coding = reply.headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity') throw new DownloadError('wrong', `the server sends ${coding}`);
  const etag = reply.headers.etag ?? '';
  // A weak tag does not promise the same bytes, and is not allowed in If-Range.
  const tag = etag.startsWith('W/') ? '' : etag;
  const changed = part.size > 0 && part.url === url && part.tag !== tag && part.tag !== '';
  let skip = 0;
  if (reply.statusCode === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.headers['content-range'] ?? '') ?? [];
    if (from === undefined || Number(from) !== part.size) throw new DownloadError('wrong', 'the server sent another range than was asked for');
    if (total !== '*') refuseSize(Number(total), size);
    if (changed) {
      await part.restart();
      throw new Error('the file behind the address has changed');
    }
  } else {
    const length = reply.headers['content-length'];
    if (length !== undefined) refuseSize(Number(length), size);
    if (changed) await part.restart();
    skip = part.size;
  }
  await part.from(url, tag);
  return skip;
}

/**
 * Agrees on what the reply holds and writes it until the part is full or the connection ends. Whatever has arrived is written
 * before an error is thrown; for that, bytes are listened to from the first moment on.
 * @param {import('node:http').IncomingMessage} reply
 * @param {import('./part.mjs').Part} part
 * @param {string} url
 * @param {number} idleMs
 * @param {(bytes: number) => void} onBytes
 * @returns {Promise<void>}
 */
function take(reply, part, url, idleMs, onBytes) {
  return new Promise((resolve, reject) => {
    /** @type {Buffer[]} */
    let waiting = [];
    let bytesWaiting = 0;
    let arrived = 0;
    let skip = 0;
    const write = async () => {
      if (waiting.length === 0) return;
      const bytes = waiting.length === 1 ? /** @type {Buffer} */ (waiting[0]) : Buffer.concat(waiting);
      waiting = [];
      bytesWaiting = 0;
      if (reply.isPaused()) reply.resume();
      const fresh = bytes.subarray(Math.min(skip, bytes.length)).subarray(0, part.whole.size - part.size);
      skip -= Math.min(skip, bytes.length);
      await part.append(fresh);
      onBytes(part.size);
      if (part.full) reply.destroy();
    };
    let work = agree(reply, part, url).then((there) => {
      skip = there;
    });
    work.catch(() => reply.destroy());
    const watch = setInterval(() => {
      if (arrived < LEAST_ARRIVING) reply.destroy(new Error('the server stopped sending'));
      arrived = 0;
    }, idleMs);
    const end = (/** @type {Error | null} */ error) => {
      clearInterval(watch);
      work.then(() => (error === null || part.full ? resolve() : reject(error)), reject);
    };
    reply.on('data', (/** @type {Buffer} */ chunk) => {
      arrived += chunk.length;
      bytesWaiting += chunk.length;
      if (bytesWaiting > MOST_WAITING) reply.pause();
      // What arrives while something is being written is written together.
      if (waiting.push(chunk) > 1) return;
      work = work.then(write);
      work.catch((error) => reply.destroy(error));
    });
    reply.on('error', end);
    reply.on('end', () => end(null));
    reply.on('close', () => end(new Error('the connection was closed')));
  });
}

/**
 * One attempt: asks for what the part lacks.
 * @param {Address} address
 * @param {import('./part.mjs').Part} part
 * @param {DownloadOptions} options
 * @param {() => void} onAnswer called when the server has answered at all
 */
async function attempt({ url, credentials = null }, part, { onBytes, signal, idleMs = 30_000, headMs, env }, onAnswer) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (part.size > 0) headers['range'] = `bytes=${part.size}-`;
  if (part.size > 0 && part.url === url && part.tag !== '') headers['if-range'] = part.tag;
  const reply = await open(url, { headers, credentials, signal, idleMs: 2 * idleMs, ...(headMs !== undefined && { headMs }), ...(env && { env }) });
  onAnswer();
  await take(reply, part, url, idleMs, onBytes);
  if (!part.full) throw new Error(`the connection ended after ${part.size} of ${part.whole.size} bytes`);
}

/**
 * Fills `part` from an address, going on from the bytes that it holds, and checks its sha256. Lost connections, stalls,
 * server errors and requests to wait are tried again (as often as something new arrives; else `attempts` times, an address
 * that never answered twice). What was fetched stays in the part, unless it turns out to be another file's.
 * @param {Address} address
 * @param {import('./part.mjs').Part} part
 * @param {DownloadOptions} options
 * @returns {Promise<void>} when the part is whole, right and on the disk
 * @throws {DownloadError} where this address does not give the file; an abort as the signal's reason; errors of the file
 *   system as they are (ENOSPC too where the free space runs out before the disk is full)
 */
export async function download(address, part, options) {
  const { signal, attempts = 4, pauseMs = 1000, longestWaitMs = 60_000 } = options;
  const step = Math.min(2 ** 16, part.whole.size / 1000);
  let best = part.size;
  let answered = false;
  let mismatches = 0;
  for (let tried = 1; ; tried++) {
    signal?.throwIfAborted();
    const begun = part.size;
    try {
      if (!part.full) {
        await part.needRoom();
        await attempt(address, part, options, () => (answered = true));
      }
      const found = part.digest();
      if (found === part.whole.sha256) return await part.sync();
      await part.restart();
      best = 0;
      const text = `the file's sha256 is ${found}, not ${part.whole.sha256}`;
      // Put together from several replies it may be the wrong mixture of right files: one more time, from the beginning.
      if (begun === 0 || mismatches++ > 0) throw new DownloadError('wrong', text);
      throw new Error(text);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof DownloadError || isDiskError(error)) throw error;
      const { message } = /** @type {Error} */ (error);
      if (error instanceof AddressError) throw new DownloadError('lost', message);
      const wait = error instanceof BusyError ? error.waitMs : 0;
      if (wait > longestWaitMs) throw new DownloadError('lost', `${message} and asks to wait ${Math.ceil(wait / 1000)} s`);
      if (part.size >= best + step) {
        best = part.size;
        tried = 1;
      }
      if (tried >= (answered ? attempts : Math.min(2, attempts))) throw new DownloadError('lost', message);
      await sleep(Math.max(wait, Math.min(pauseMs * 2 ** (tried - 1), LONGEST_PAUSE_MS)), undefined, { ...(signal && { signal }) }).catch(() => {});
    }
  }
}
