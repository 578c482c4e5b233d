// Host process: starting and ending the process that the engine runs in. This is its form for Node; Electron's
// utilityProcess has the same shape.
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Port } from './protocol.ts';

export type Priority = 'low' | 'normal';

export interface HostExit {
  code: number | null;
  signal: string | null;
  /** The end of what it wrote to stderr. */
  lastWords: string;
}

export interface HostProcess extends Port {
  /** Known from its start on. */
  readonly pid: number | undefined;
  /** Called once, after its last message. */
  onExit(listener: (exit: HostExit) => void): void;
  /** Ends it at once. What it writes appears whole or not at all, so nothing is left half-done. */
  end(): void;
}

/** How much of stderr an error carries. */
export const LAST_WORDS = 2000;

/**
 * What the host's JavaScript makes is either kept (the tokenizer) or small. Left alone, V8 would hold tens of megabytes for short-lived
 * objects while a tokenizer is made and give them back at any time later: memory that is planned should not depend on that.
 */
const YOUNG_HEAP = '--max-semi-space-size=4';
/** Sources run as they are: Node takes the types out. */
const SOURCES = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'];

/** The host's file: beside this one in the sources, at the top of the bundle otherwise. */
export function hostFile(): string {
  const places = ['./host.ts', './engine-host.js', '../engine-host.js'];
  const files = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return files.find(existsSync) ?? files[1] ?? '';
}

/** Starts the host in a Node process of its own. */
export function forkHost(options: { priority: Priority; environment: Record<string, string> }): HostProcess {
  const file = hostFile();
  const child = fork(file, [], {
    execArgv: [YOUNG_HEAP, ...(file.endsWith('.ts') ? SOURCES : [])],
    env: { ...process.env, ...options.environment, NAMESAKE_ENGINE_PRIORITY: options.priority },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr?.setEncoding('utf8').on('data', (words: string) => {
    lastWords = (lastWords + words).slice(-LAST_WORDS);
  });
  let gone = false;
  const listeners: ((exit: HostExit) => void)[] = [];
  const leave = (code: number | null, signal: string | null): void => {
    if (gone) return;
    gone = true;
    for (const listener of listeners) listener({ code, signal, lastWords: lastWords.trim() });
  };
  child.on('close', leave);
  child.on('error', (error) => {
    lastWords += error.message;
    // A child that never started has no end of its own.
    if (child.pid === undefined) leave(null, null);
  });
  return {
    pid: child.pid,
    post: (message) => {
      // A message that finds the channel closed is answered by the exit.
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => listeners.push(listener),
    end: () => {
      if (!gone) child.kill();
    },
  };
}
