// @ts-check
import { createWriteStream, statSync, truncateSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const IDLE_TIMEOUT_MS = 60_000;
const MAX_REDIRECTS = 8;

/** A reply that another attempt at the same address will not change. */
class RefusedError extends Error {}

/**
 * Opens `url`, following redirects. Plain http is for this machine only.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @returns {Promise<import('node:http').IncomingMessage>}
 */
async function get(url, headers) {
  let address = new URL(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const local = ['127.0.0.1', 'localhost', '[::1]'].includes(address.hostname);
    if (address.protocol !== 'https:' && !(address.protocol === 'http:' && local)) {
      throw new RefusedError(`${address.protocol}// addresses are not fetched`);
    }
    const { get: open } = address.protocol === 'https:' ? https : http;
    /** @type {import('node:http').IncomingMessage} */
    const reply = await new Promise((resolve, reject) => {
      const request = open(address, { headers }, resolve);
      request.setTimeout(IDLE_TIMEOUT_MS, () => request.destroy(new Error('the server stopped answering')));
      request.on('error', reject);
    });
    const { statusCode = 0 } = reply;
    if (![301, 302, 303, 307, 308].includes(statusCode)) return reply;
    reply.resume();
    address = new URL(reply.headers.location ?? '', address);
  }
  throw new RefusedError('too many redirects');
}

/**
 * One attempt: appends to `part` what it lacks of `size` bytes.
 * @param {string} url
 * @param {string} part
 * @param {number} size
 * @param {(bytes: number) => void} onBytes the bytes that `part` holds now
 */
async function attempt(url, part, size, onBytes) {
  // The tag of the file that the bytes so far came from: a server whose file has changed sends all of it again.
  const tagFile = `${part}.etag`;
  let have = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  if (have === size) return;
  const tag = have > 0 ? await readFile(tagFile, 'utf8').catch(() => '') : '';
  /** @type {Record<string, string>} */
  const headers = { 'user-agent': 'namesake', 'accept-encoding': 'identity' };
  if (have > 0) headers['range'] = `bytes=${have}-`;
  if (have > 0 && tag !== '') headers['if-range'] = tag;
  const reply = await get(url, headers);
  if (reply.statusCode !== 200 && reply.statusCode !== 206) {
    reply.resume();
    const text = `the server answered ${reply.statusCode}`;
    throw (reply.statusCode ?? 0) >= 500 ? new Error(text) : new RefusedError(text);
  }
  if (reply.statusCode === 206 && !(reply.headers['content-range'] ?? '').startsWith(`bytes ${have}-`)) {
    reply.destroy();
    throw new RefusedError('the server sent another range than was asked for');
  }
  if (reply.statusCode === 200) {
    if (have > 0) truncateSync(part, 0);
    have = 0;
  }
  const etag = reply.headers.etag ?? '';
  // A weak tag is not allowed in If-Range.
  await writeFile(tagFile, etag.startsWith('W/') ? '' : etag);
  const count = new Transform({
    transform(chunk, _encoding, done) {
      have += chunk.length;
      if (have > size) return done(new RefusedError(`the server sends more than the expected ${size} bytes`));
      onBytes(have);
      done(null, chunk);
    },
  });
  await pipeline(reply, count, createWriteStream(part, { flags: 'a' }));
  if (have < size) throw new Error(`the connection ended after ${have} of ${size} bytes`);
}

/**
 * Downloads `url` into `part`, going on from the bytes that `part` already holds. Lost connections and server errors
 * are tried again; what was fetched stays for the next call. The contents are for the caller to check.
 * @param {string} url
 * @param {string} part
 * @param {number} size of the whole file
 * @param {{ onBytes: (bytes: number) => void, attempts?: number, pauseMs?: number }} options
 * @returns {Promise<void>}
 */
export async function download(url, part, size, { onBytes, attempts = 5, pauseMs = 1000 }) {
  if ((statSync(part, { throwIfNoEntry: false })?.size ?? 0) > size) await rm(part);
  for (let tried = 1; ; tried++) {
    try {
      await attempt(url, part, size, onBytes);
      await rm(`${part}.etag`, { force: true });
      return;
    } catch (error) {
      if (error instanceof RefusedError || tried === attempts) {
        if (error instanceof RefusedError) await rm(part, { force: true });
        throw error;
      }
      await sleep(pauseMs * tried);
    }
  }
}
