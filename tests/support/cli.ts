// The built program as a child process, as scripts use it.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { root } from './files.ts';

/** One line of stdout with --json. */
export interface CliEvent {
  event: string;
  [key: string]: unknown;
}

export interface CliResult {
  /** Exit code; null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  events: CliEvent[];
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  /** Given as NAMESAKE_HOME. */
  home: string;
  env?: Record<string, string>;
  cwd?: string;
  /** Written to stdin, which then ends. */
  input?: string;
  /** Hears each event as it comes. */
  onEvent?: (event: CliEvent, child: ChildProcess) => void;
  /** Gets the child as soon as it runs. */
  onStart?: (child: ChildProcess) => void;
  /** Hears of the first that is written to stdout. */
  onOutput?: (child: ChildProcess) => void;
}

/** NAMESAKE_TEST_PROGRAM: another bundle than the checkout's own. */
export const program = process.env['NAMESAKE_TEST_PROGRAM'] ?? join(root, 'out', 'main', 'cli.js');

/** A line of stdout: a compact JSON object with an event, or the test fails. */
function parseEvent(line: string): CliEvent {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || !('event' in value) || typeof value.event !== 'string') {
    throw new Error(`no event: ${line}`);
  }
  if (JSON.stringify(value) !== line) throw new Error(`not compact: ${line}`);
  return value as CliEvent;
}

/** Runs a command to its end. With --json among `args` every line of stdout must be an event. */
export function namesake(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const json = args.includes('--json');
  const { LANG: _lang, LC_ALL: _all, LC_MESSAGES: _messages, NAMESAKE_ADDON: _addon, NAMESAKE_ISA: _isa, ...environment } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? root,
    env: { ...environment, LANG: 'C', NAMESAKE_HOME: options.home, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  options.onStart?.(child);
  const events: CliEvent[] = [];
  let stdout = '';
  let stderr = '';
  let rest = '';
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout === '') options.onOutput?.(child);
      stdout += text;
      if (!json) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      try {
        for (const line of lines) {
          const event = parseEvent(line);
          events.push(event);
          options.onEvent?.(event, child);
        }
      } catch (error) {
        child.kill('SIGKILL');
        reject(error as Error);
      }
    });
    child.on('close', (code, signal) => {
      if (json && rest !== '') reject(new Error(`stdout ends in ${rest}`));
      else resolve({ code, signal, events, stdout, stderr });
    });
    // A child that ends without reading is no fault of the test.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** The last event; fails the test with what was said where the command did not end as `code`. */
export function lastEvent(result: CliResult, code = 0): CliEvent {
  const last = result.events.at(-1);
  if (result.code !== code || last === undefined) {
    throw new Error(`exit ${result.code ?? result.signal}, last ${JSON.stringify(last)}\n${result.stderr}`);
  }
  return last;
}

/** The events of one kind, in order. */
export function eventsOf(result: CliResult, event: string): CliEvent[] {
  return result.events.filter((found) => found.event === event);
}

/** The code of the error that a command ended with: it must be the last line, and the exit code 1 (or `exit`). */
export function errorCode(result: CliResult, exit = 1): string {
  const last = lastEvent(result, exit);
  if (last.event !== 'error' || typeof last['message'] !== 'string' || last['message'] === '') {
    throw new Error(`not an error: ${JSON.stringify(last)}`);
  }
  return String(last['code']);
}
