// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When process `pid` started, as text that differs between two processes that had the same pid; null if none runs.
 * @param {number} pid
 * @param {NodeJS.Platform} [platform]
 * @returns {string | null}
 */
export function processStart(pid, platform = process.platform) {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (platform === 'linux') {
    try {
      // Field 22 of /proc/PID/stat; the name (field 2) may itself hold spaces and brackets, so count from its end.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? null : (fields[19] ?? null);
    } catch {
      return null;
    }
  }
  if (platform === 'win32') return startOnWindows(pid);
  try {
    // A time in words: in the same ones whatever language and time zone who asks has.
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env }).trim() || null;
  } catch {
    return null;
  }
}

/** Stands for the start of a process that runs and does not say since when. */
const UNKNOWN = 'unknown';

/** PowerShell takes long, and who waits for a lock asks often: its answers hold for a while. */
const REMEMBERED_MS = 10_000;
/** @type {Map<number, { start: string, at: number }>} */
const remembered = new Map();

/** Nothing of Node's own tells when a process started. @param {number} pid */
function askPowerShell(pid) {
  const question = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CreationDate.ToFileTimeUtc()`;
  try {
    const args = ['-NoProfile', '-NonInteractive', '-Command', question];
    return execFileSync('powershell.exe', args, { encoding: 'utf8', windowsHide: true, stdio: ['ignore', 'pipe', 'ignore'] }).trim() || UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** @param {number} pid */
function startOnWindows(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and is someone else's.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') {
      remembered.delete(pid);
      return null;
    }
  }
  const known = remembered.get(pid);
  if (known !== undefined && Date.now() - known.at < REMEMBERED_MS) return known.start;
  const start = askPowerShell(pid);
  remembered.set(pid, { start, at: Date.now() });
  return start;
}

/**
 * A process, told from others that had or will have its pid.
 * @typedef {{ pid: number, start: string | null }} Owner
 */

/** @type {Owner | null} */
let own = null;

/** This process; it is looked up once, since that takes long on some systems. @returns {Owner} */
export function thisProcess() {
  return (own ??= { pid: process.pid, start: processStart(process.pid) });
}

/**
 * Whether a process still runs. One that cannot be told from another of its pid counts as running.
 * @param {Owner} owner
 * @param {NodeJS.Platform} [platform]
 */
export function isRunning({ pid, start }, platform) {
  const found = processStart(pid, platform);
  return found !== null && (found === start || found === UNKNOWN || start === UNKNOWN);
}

/**
 * Whether the process that made lock folder `path` is gone. A folder that vanished meanwhile counts as not stale: the
 * next attempt to take it settles that.
 * @param {string} path
 */
function isStale(path) {
  try {
    const owner = JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8'));
    return !isRunning(owner);
  } catch (error) {
    // No folder: not stale. A folder whose owner cannot be read was not made by `take` and holds nobody.
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT' || exists(path);
  }
}

/** @param {string} path */
function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Tries once to make lock folder `path`. It is renamed into place with its owner already inside, so nobody ever sees a
 * lock without an owner.
 * @param {string} path
 */
function take(path) {
  const made = `${path}.new-${process.pid}`;
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, 'owner.json'), JSON.stringify(thisProcess()));
  try {
    renameSync(made, path);
    return true;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    const code = /** @type {NodeJS.ErrnoException} */ (error).code ?? '';
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code)) return false;
    throw error;
  }
}

/**
 * Gives the lock folder back in one step (emptied where it stands, another process could take it half-way).
 * @param {string} path
 */
function remove(path) {
  const dead = `${path}.dead-${process.pid}`;
  renameSync(path, dead);
  rmSync(dead, { recursive: true, force: true });
}

/**
 * Removes a lock whose owner is gone. Between that finding and now a faster process may have put its own there: then it
 * goes back.
 * @param {string} path
 */
function removeStale(path) {
  const moved = `${path}.dead-${process.pid}`;
  try {
    renameSync(path, moved);
    if (isStale(moved)) rmSync(moved, { recursive: true, force: true });
    else renameSync(moved, path);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
  }
}

/** Removes what processes that died while taking or breaking this lock left beside it. @param {string} path */
function sweep(path) {
  const prefixes = [`${basename(path)}.new-`, `${basename(path)}.dead-`];
  for (const name of readdirSync(dirname(path))) {
    const prefix = prefixes.find((p) => name.startsWith(p));
    if (prefix && processStart(Number(name.slice(prefix.length))) === null) {
      rmSync(join(dirname(path), name), { recursive: true, force: true });
    }
  }
}

/**
 * Takes the lock folder `path` if nobody living holds it.
 * @param {string} path
 * @returns {(() => void) | null} gives the lock back; null when another process holds it
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  while (!take(path)) {
    if (!isStale(path)) return null;
    removeStale(path);
  }
  sweep(path);
  return () => remove(path);
}

/**
 * Runs `body` while this process alone holds the lock folder `path`; waits for a living owner, takes over from a dead
 * one. `onWait` is called once if there is someone to wait for.
 * @template T
 * @param {string} path
 * @param {() => void} onWait
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withLock(path, onWait, body) {
  let release = tryLock(path);
  if (release === null) onWait();
  while (release === null) {
    await sleep(100);
    release = tryLock(path);
  }
  try {
    return await body();
  } finally {
    release();
  }
}
