// Training beside peft: the same model, ids and labels, threads and instruction set, in turn.
//
//   npm run bench:train-peers [-- --tokens 512,4096] [--isas auto,avx512,avx2] [--modes f32,bf16,nf4] [--rounds 3] [--threads 2]
//
// A round is one run of namesake and one of each of peft's modes; printed are each one's median, and namesake's ratio to the best mode.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { env, execPath, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { runChild } from '../../tools/child.mjs';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { runPeer } from './peers.ts';

const { values: flags } = parseArgs({
  options: {
    tokens: { type: 'string', default: '512,4096' },
    isas: { type: 'string', default: 'auto' },
    modes: { type: 'string', default: 'f32,bf16,nf4' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '4' },
    threads: { type: 'string', default: '2' },
  },
});

/** What holds torch and the libraries below it to an instruction set. */
const PEER_ISA: Record<string, NodeJS.ProcessEnv> = {
  auto: {},
  avx512: { ATEN_CPU_CAPABILITY: 'avx512', ONEDNN_MAX_CPU_ISA: 'AVX512_CORE', MKL_ENABLE_INSTRUCTIONS: 'AVX512' },
  avx2: { ATEN_CPU_CAPABILITY: 'avx2', ONEDNN_MAX_CPU_ISA: 'AVX2', MKL_ENABLE_INSTRUCTIONS: 'AVX2' },
};

const LENGTH = 64;
const VOCABULARY = 49_152;
const work = join(root, 'native', 'build', 'bench');
const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

interface Figures {
  tokens_per_second: number;
  peak_rss_bytes: number;
  losses: number[];
}

/** Conversations of 64 tokens with nothing in common, the last half of each learnt: as `format: tokens`. */
function writeTokens(batchTokens: number): string {
  const rows = Math.floor(batchTokens / LENGTH);
  const id = (row: number, i: number): number => (300 + ((row * 7919 + i * 104_729) % 20_000)) % VOCABULARY;
  const all = (value: (row: number, i: number) => number): number[][] =>
    Array.from({ length: rows }, (_, row) => Array.from({ length: LENGTH }, (_, i) => value(row, i)));
  const path = join(work, `tokens-${batchTokens}.json`);
  const labels = all((row, i) => (i < LENGTH / 2 ? -100 : id(row, i)));
  writeFileSync(path, JSON.stringify([{ input_ids: all(id), labels, attention_mask: all(() => 1) }]));
  return path;
}

async function runNamesake(isa: string, tokens: string): Promise<Figures> {
  const args = ['bench', 'train', '--json', '--device', 'cpu', '--model', defaultModel, '--tokens', tokens, '--steps', flags.steps, '--threads', flags.threads];
  const { code, output } = await runChild(execPath, [join(root, 'out', 'main', 'cli.js'), ...args], {
    capture: true,
    env: { ...env, NAMESAKE_ISA: isa },
  });
  const result = output.split('\n').find((line) => line.includes('"result"'));
  if (code !== 0 || result === undefined) throw new Error(`namesake ${args.join(' ')}: exit ${code}\n${output.slice(-2000)}`);
  return JSON.parse(result) as Figures;
}

async function runPeft(mode: string, isa: string, folder: string, tokens: string): Promise<Figures> {
  const args = [folder, tokens, '--mode', mode, '--steps', String(Number(flags.steps) + 1), '--threads', flags.threads];
  return (await runPeer('bench/peft_baseline.py', args, PEER_ISA[isa])) as unknown as Figures;
}

mkdirSync(work, { recursive: true });
const folder = join(work, 'smollm2-f32');
if (!existsSync(join(folder, 'config.json'))) await runPeer('fixtures/make_hf.py', [defaultModel, folder]);
for (const isa of flags.isas.split(',')) {
  if (PEER_ISA[isa] === undefined) throw new Error(`--isas: ${Object.keys(PEER_ISA).join(', ')}`);
  for (const batchTokens of flags.tokens.split(',').map(Number)) {
    const tokens = writeTokens(batchTokens);
    const taken = new Map<string, Figures[]>();
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const name of ['namesake', ...flags.modes.split(',')]) {
        const figures = name === 'namesake' ? await runNamesake(isa, tokens) : await runPeft(name, isa, folder, tokens);
        taken.set(name, [...(taken.get(name) ?? []), figures]);
        stderr.write(`${isa} ${batchTokens} ${name}: ${figures.tokens_per_second.toFixed(0)} tokens/s, ${(figures.peak_rss_bytes / 1e6).toFixed(0)} MB\n`);
      }
    }
    const peers = flags.modes.split(',').map((mode) => ({ mode, speed: median((taken.get(mode) ?? []).map((run) => run.tokens_per_second)) }));
    const best = peers.reduce((one, other) => (other.speed > one.speed ? other : one));
    const own = median((taken.get('namesake') ?? []).map((run) => run.tokens_per_second));
    const memory = (name: string): number => Math.max(...(taken.get(name) ?? []).map((run) => run.peak_rss_bytes));
    const result = {
      ...{ cpu: cpus()[0]?.model, threads: Number(flags.threads), isa, batch_tokens: batchTokens, tokens_per_second: own },
      ...{ peers: Object.fromEntries(peers.map(({ mode, speed }) => [mode, speed])), best: best.mode, ratio: own / best.speed },
      ...{ peak_rss_bytes: memory('namesake'), peer_peak_rss_bytes: memory(best.mode), loss: taken.get('namesake')?.[0]?.losses[0], peer_loss: taken.get(best.mode)?.[0]?.losses[0] },
    };
    stdout.write(`${JSON.stringify(result)}\n`);
  }
}
