// Log: what went wrong, one JSON object a line in HOME/logs, for the person who looks for the reason. Never stdout, and
// never tokens, people's texts or paths outside the home: callers log codes and names, errors go through `traceOf`.
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { packageRoot } from './resources.ts';

export type Log = Logger;

/** Bytes of one file, and how many older ones are kept. */
const FILE_BYTES = 2_000_000;
const OLD_FILES = 3;

/** Appends lines to FOLDER/namesake.log; a full file becomes namesake.1.log, the oldest one goes. */
class RotatingFile {
  readonly #folder: string;
  readonly #bytes: number;

  constructor(folder: string, bytes: number) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  #path(age: number): string {
    return join(this.#folder, age === 0 ? 'namesake.log' : `namesake.${age}.log`);
  }

  #rotate(): void {
    rmSync(this.#path(OLD_FILES), { force: true });
    for (let age = OLD_FILES - 1; age >= 0; age--) {
      if (statSync(this.#path(age), { throwIfNoEntry: false })) renameSync(this.#path(age), this.#path(age + 1));
    }
  }

  /** A home that cannot be written to has no log; that is no reason to fail. */
  write(line: string): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const size = statSync(this.#path(0), { throwIfNoEntry: false })?.size ?? 0;
      if (size > 0 && size + Buffer.byteLength(line) > this.#bytes) this.#rotate();
      appendFileSync(this.#path(0), line, { mode: 0o600 });
    } catch {
      // Full or read-only: there is nowhere to say so.
    }
  }
}

/** The log of a home. Nothing is made on the disk before the first line. `bytes` is the size of one file. */
export function createLog(folder: string, bytes = FILE_BYTES): Log {
  return pino({ base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, new RotatingFile(folder, bytes));
}

/**
 * An error as the log may have it: its kind and where it was thrown, in places of this program. Its message is left out,
 * because it may quote what a person wrote.
 */
export function traceOf(error: unknown): { kind: string; errno?: string; trace: string[] } {
  if (!(error instanceof Error)) return { kind: typeof error, trace: [] };
  const errno = 'code' in error && typeof error.code === 'string' ? { errno: error.code } : {};
  const trace = (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim().replaceAll('file://', '').replaceAll(`${packageRoot}/`, ''))
    .filter((line) => !/[( ](\/|[A-Za-z]:\\)/.test(line));
  return { kind: error.name, ...errno, trace };
}
