// @ts-check
import { spawn } from 'node:child_process';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Runs a program to its end. Its stdout and stderr both go to this process's stderr (or into `output` with `capture`).
 * Each child leads its own process group, so that `endChildren` ends its children too (npm, make and pip start some).
 * @param {string} command
 * @param {string[]} args
 * An abort of `signal` ends it.
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, capture?: boolean, input?: string, signal?: AbortSignal | undefined }} [options]
 * @returns {Promise<{ code: number, output: string }>} `code` is 127 if the program does not exist, 128 if a signal ended it
 */
export function runChild(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', options.capture ? 'pipe' : 2, options.capture ? 'pipe' : 2],
      detached: true,
    });
    running.add(child);
    const onAbort = () => end(child);
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted) onAbort();
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.stdin?.on('error', () => {}); // the program may end before it has read everything
    child.stdin?.end(options.input);
    child.on('error', () => {
      running.delete(child);
      resolve({ code: 127, output });
    });
    child.on('close', (code) => {
      running.delete(child);
      options.signal?.removeEventListener('abort', onAbort);
      resolve({ code: code ?? 128, output });
    });
  });
}

/** Ends a child and what it started. @param {import('node:child_process').ChildProcess} child */
function end(child) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It ended by itself just now.
  }
}

/** Ends every program that `runChild` started and that still runs. */
export function endChildren() {
  for (const child of running) end(child);
}

/** Makes Ctrl-C, a closed terminal and `kill` end the children first, then this process with the usual code. */
export function endChildrenOnSignals() {
  for (const [signal, code] of /** @type {[NodeJS.Signals, number][]} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.once(signal, () => {
      endChildren();
      process.exit(code);
    });
  }
}
