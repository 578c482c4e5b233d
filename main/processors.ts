// Processors: how many cores an engine takes where a person works at the same machine.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Physical cores that this process may use; null where the system does not say. */
function physicalCores(): number | null {
  try {
    if (process.platform === 'darwin') {
      return Number(execFileSync('sysctl', ['-n', 'hw.physicalcpu'], { encoding: 'utf8' }));
    }
    if (process.platform !== 'linux') return null;
    // Blocks of "key : value", one for each hardware thread.
    const cores = readFileSync('/proc/cpuinfo', 'utf8')
      .split('\n\n')
      .flatMap((block) => {
        const value = (key: string): string | undefined => new RegExp(`^${key}\\s*: (.*)$`, 'm').exec(block)?.[1];
        return value('core id') === undefined ? [] : [`${value('physical id')}/${value('core id')}`];
      });
    return cores.length === 0 ? null : Math.min(new Set(cores).size, availableParallelism());
  } catch {
    return null;
  }
}

/** Threads for an engine beside windows: one core stays free where there are four or more; 0 = all, where that cannot be told. */
export function threadsBesideWindows(): number {
  const cores = physicalCores() ?? 0;
  return cores >= 4 ? cores - 1 : cores;
}
