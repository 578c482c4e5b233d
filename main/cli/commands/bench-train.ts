// bench train: what a step takes.
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import type { GpuCard } from '../../../shared/doctor.ts';
import type { EngineBatch, EngineClient, EngineStep } from '../../../shared/engine.ts';
import type { ModelInfo } from '../../../shared/model.ts';
import type { TokenBatch } from '../../../shared/row.ts';
import { readText, writeWhole } from '../../disk.ts';
import { importTokenBatches } from '../../pipeline/import-rows.ts';
import { tokenBatchToBatch } from '../../pipeline/rows-to-batches.ts';
import { activationBitsOption } from '../bits-option.ts';
import { peakFlops } from '../card-peak.ts';
import { createContext } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { layersOption } from '../layers-option.ts';
import { wholeNumber } from '../number-option.ts';
import { computedBy, openBench, precisionOption, type BenchFlags } from './bench-model.ts';
import { PEAK_SECONDS } from './bench-peak.ts';

/** Peak resident memory of the engine host in bytes, where the system tells it. */
function peakRss(pid: number | undefined): number | null {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** A synthetic batch: `batch_tokens` of conversations of 64 tokens with nothing in common, the last half of each learnt. */
function syntheticBatch(batch_tokens: number, vocab: number): TokenBatch {
  const LENGTH = 64;
  const rows = Math.floor(batch_tokens / LENGTH);
  const ids = (row: number): number[] => Array.from({ length: LENGTH }, (_, i) => (300 + ((row * 7919 + i * 104729) % 20000)) % vocab);
  return {
    input_ids: Array.from({ length: rows }, (_, row) => ids(row)),
    labels: Array.from({ length: rows }, (_, row) => ids(row).map((id, i) => (i < LENGTH / 2 ? -100 : id))),
    attention_mask: Array.from({ length: rows }, () => Array<0 | 1>(LENGTH).fill(1)),
  };
}

/** FLOP/s that what computes could reach at most, and its name: of a card from what is known of its kind, of the processor measured. */
interface Ceiling {
  flops: number;
  of: string;
}

async function ceilingOf(engine: EngineClient, info: ModelInfo, card: GpuCard | null, precision: BenchFlags['precision']): Promise<Ceiling | null> {
  if (card !== null) {
    const flops = peakFlops(card);
    return flops === null ? null : { flops, of: card.name };
  }
  if (info.backend !== 'cpu') return null;
  // A matrix of f32 is multiplied in f32, whatever the instruction set has beside it.
  const f32_products = precision === 'f32' || (precision === 'as-stored' && Object.keys(info.blocks).every((format) => format === 'f32'));
  const { isas } = await engine.measurePeak({ isas: [info.isa], f32_products, memory: false, threads: info.threads, seconds: PEAK_SECONDS });
  const [peak] = isas;
  return peak === undefined ? null : { flops: peak.all, of: `${info.threads} threads of ${peak.isa}, ${peak.operands} products` };
}

/** Useful products of a token, in FLOP: with every parameter forward, and backward with all but those of the layers that do not learn. */
function usefulFlops(info: ModelInfo, layers: number | null): { forward: number; backward: number } {
  const tables = info.vocab * info.hidden * (info.tied ? 1 : 2);
  const below = layers === null ? 0 : Math.max(info.layers - layers, 0) / info.layers;
  return { forward: 2 * info.parameters, backward: 2 * (info.parameters - below * (info.parameters - tables)) };
}

/**
 * A part of the timed steps. Backward and forward pass share the useful products; the update has none. The head's
 * gradient is computed with its losses, a chunk of the vocabulary at a time: its time is in `forward`, whose share of the peak is less for it.
 */
interface Phase {
  seconds: number;
  tokens_per_second: number;
  useful_tflops: number | null;
  share_of_peak: number | null;
}

function phasesOf(taken: EngineStep['seconds'], tokens: number, useful: { forward: number; backward: number }, peak: number | null): Record<keyof EngineStep['seconds'], Phase> {
  const phase = (seconds: number, flops: number | null): Phase => ({
    seconds,
    tokens_per_second: tokens / seconds,
    useful_tflops: flops === null ? null : flops / seconds / 1e12,
    share_of_peak: flops === null || peak === null ? null : flops / seconds / peak,
  });
  return { forward: phase(taken.forward, useful.forward * tokens), backward: phase(taken.backward, useful.backward * tokens), update: phase(taken.update, null) };
}

export function addBenchTrain(bench: Command): void {
  bench
    .command('train')
    .description('tokens per second of training, useful TFLOP/s (4 × parameters × tokens; with --layers less), and its peak memory beside the planned one')
    .option('--model <ref>')
    .addOption(precisionOption())
    .addOption(deviceOption().default('auto'))
    .option('--batch-tokens <n>', 'tokens per step', wholeNumber(64), 512)
    .option('--rank <n>', 'LoRA rank', wholeNumber(1), 16)
    .addOption(layersOption())
    .option('--steps <n>', 'steps that are timed, after one to warm up', wholeNumber(1), 8)
    .addOption(activationBitsOption())
    .option('--recompute', 'compute activations again instead of keeping them')
    .option('--tokens <file>', 'batches in the layout of format: tokens instead of synthetic ones')
    .option('--tokens-to <file>', 'write the batches there in that layout: for tests/bench/peft_baseline.py')
    .action(async (flags: BenchFlags & { batchTokens: number; rank: number; layers: number | null; steps: number; tokens?: string; tokensTo?: string; activationBits: 32 | 16; recompute?: boolean }, command: Command) => {
      const context = createContext(command);
      const { engine, id, path, device: placed, info, card, open_seconds } = await openBench(context, flags);
      try {
        const asked =
          flags.tokens === undefined ? [syntheticBatch(flags.batchTokens, info.vocab)] : importTokenBatches(readText(flags.tokens, 'rows.unreadable'));
        if (flags.tokensTo !== undefined) writeWhole(flags.tokensTo, `${JSON.stringify(asked)}\n`);
        const batches = asked.map(tokenBatchToBatch);
        const batch_tokens = Math.max(...batches.map(({ ids }) => ids.length));
        const recompute = flags.recompute === true ? true : null;
        const activation_bits = flags.activationBits;
        const budget = await engine.planMemory(path, {
          ...{ precision: flags.precision, device: placed, ...context.compute },
          ...{ rank: flags.rank, layers: flags.layers, state_bits: 32, activation_bits, batch_tokens, packed_tokens: null, max_length: batch_tokens, answers: false, recompute },
        });
        const { recompute: recomputed } = await engine.createTrainer({
          rank: flags.rank,
          layers: flags.layers,
          alpha: 2 * flags.rank,
          seed: 42,
          init_adapter: null,
          lr: 1e-3,
          betas: [0.9, 0.999],
          eps: 1e-8,
          weight_decay: 0,
          loraplus_lr_ratio: 1,
          state_bits: 32,
          activation_bits,
          clip: 1,
          schedule: 'constant',
          warmup_steps: 0,
          steps: flags.steps + 1,
          base_model: id,
          batch_tokens,
          packed_tokens: null,
          recompute,
        });
        const ceiling = await ceilingOf(engine, info, card, flags.precision);
        const losses = [(await engine.step(batches.slice(0, 1))).loss];
        let tokens = 0;
        const taken = { forward: 0, backward: 0, update: 0 };
        const start = performance.now();
        for (let step = 1; step <= flags.steps; step++) {
          const done = await engine.step([batches[step % batches.length] as EngineBatch]);
          tokens += done.tokens;
          losses.push(done.loss);
          for (const part of ['forward', 'backward', 'update'] as const) taken[part] += done.seconds[part];
        }
        const seconds = (performance.now() - start) / 1000;
        const useful = usefulFlops(info, flags.layers);
        const useful_flops = ((useful.forward + useful.backward) * tokens) / seconds;
        const peak = ceiling?.flops ?? null;
        const result = {
          ...computedBy(info, card),
          ...{ tokens_per_second: tokens / seconds, steps: flags.steps, tokens, seconds },
          ...{ useful_tflops: useful_flops / 1e12, share_of_peak: peak === null ? null : useful_flops / peak, peak_tflops: peak === null ? null : peak / 1e12 },
          phases: phasesOf(taken, tokens, useful, peak),
          ...{ peak_rss_bytes: peakRss(engine.pid), planned_bytes: budget.total, recompute: recomputed, activation_bits, open_seconds, losses },
        };
        context.output.event({ event: 'result', ...result });
        if (!context.output.json) {
          const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
          const { share_of_peak, useful_tflops } = result;
          const share = share_of_peak === null ? '' : ` (${(100 * share_of_peak).toFixed(1)} % of the peak of ${ceiling?.of ?? ''})`;
          const planned = `planned ${megabytes(result.planned_bytes)} MB`;
          // The peak that can be asked for is the machine's own memory, not the card's.
          const memory = card === null ? `peak ${megabytes(result.peak_rss_bytes ?? 0)} MB, ${planned}` : `${planned} on the card`;
          context.output.print(`${result.tokens_per_second.toFixed(0)} tokens/s · ${useful_tflops.toPrecision(3)} useful TFLOP/s${share} · ${memory}`);
          const parts = Object.entries(result.phases).map(([part, phase]) => `${part} ${((100 * phase.seconds) / seconds).toFixed(0)} %`);
          context.output.print(`of the time: ${parts.join(' · ')}`);
        }
      } finally {
        await engine.dispose();
      }
    });
}
