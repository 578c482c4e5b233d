// bench peak: what this machine's processor can do at most, which the other figures are shares of.
import type { Command } from 'commander';
import { cpus } from 'node:os';
import type { IsaPeak } from '../../../shared/peak.ts';
import { createContext } from '../context.ts';

/** Of each loop: long enough for the fastest of many rounds, short enough for somebody who waits. */
export const PEAK_SECONDS = 0.5;

interface AbsentIsa {
  isa: string;
  /** What the CPU lacks. */
  absent: string;
}

function line(peak: IsaPeak | AbsentIsa): string {
  if ('absent' in peak) return `${peak.isa}: absent, ${peak.absent}`;
  const gflops = (flops: number): string => (flops / 1e9).toFixed(1);
  return `${peak.isa}: ${gflops(peak.one)} GFLOP/s on one thread, ${gflops(peak.all)} on all (${peak.operands} products)`;
}

export function addBenchPeak(bench: Command): void {
  bench
    .command('peak')
    .description('the processor’s measured peaks: multiply-adds in registers for each instruction set, and reading of memory')
    .action(async (_flags: object, command: Command) => {
      const { output, compute, startEngine } = createContext(command);
      const engine = startEngine();
      try {
        const { levels } = (await engine.about()).isa;
        const isas = levels.filter(({ supported }) => supported).map(({ isa }) => isa);
        const report = await engine.measurePeak({ isas, f32_products: false, memory: true, threads: compute.threads, seconds: PEAK_SECONDS });
        const peaks = levels.map(({ isa, reason }) => report.isas.find((peak) => peak.isa === isa) ?? { isa, absent: reason ?? '' });
        const cpu = cpus()[0]?.model ?? null;
        output.event({ event: 'result', cpu, threads: report.threads, isas: peaks, memory: report.memory });
        if (!output.json) {
          output.print(`${cpu ?? 'processor'}, ${report.threads} threads`);
          for (const peak of peaks) output.print(line(peak));
          if (report.memory !== null) {
            const { one, all, array_bytes } = report.memory;
            output.print(`reading ${(array_bytes / 1e6).toFixed(0)} MB: ${(one / 1e9).toFixed(1)} GB/s on one thread, ${(all / 1e9).toFixed(1)} on all`);
          }
        }
      } finally {
        await engine.dispose();
      }
    });
}
