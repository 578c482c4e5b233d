// Own figures: one run of a `namesake bench` command beside a peer's, and what several runs come to.
import { cpus } from 'node:os';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { runChild } from '../../tools/child.mjs';
import { root } from '../support/files.ts';

/** The result of `namesake bench …`, on the processor. */
export async function ownFigures(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const { code, output } = await runChild(execPath, [join(root, 'out', 'main', 'cli.js'), 'bench', ...args, '--json', '--device', 'cpu'], {
    capture: true,
    env: { ...env, ...environment },
  });
  const result = output.split('\n').find((line) => line.includes('"result"'));
  if (code !== 0 || result === undefined) throw new Error(`namesake bench ${args.join(' ')}: exit ${code}\n${output.slice(-2000)}`);
  return JSON.parse(result);
}

export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

export const cpuName = cpus()[0]?.model ?? 'unknown processor';
