// bench train, chat, make, peak: figures that anyone can repeat. Times are printed, never tested.
import type { Command } from 'commander';
import { addBenchChat } from './bench-chat.ts';
import { addBenchMake } from './bench-make.ts';
import { addBenchPeak } from './bench-peak.ts';
import { addBenchTrain } from './bench-train.ts';

export function addBench(program: Command): void {
  const bench = program.command('bench').description('figures: train, chat, make, peak');
  addBenchTrain(bench);
  addBenchChat(bench);
  addBenchMake(bench);
  addBenchPeak(bench);
}
