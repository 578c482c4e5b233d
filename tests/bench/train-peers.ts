// Training beside peft: the same model, ids and labels, threads and instruction set, in turn.
//
//   npm run bench:train-peers [-- --tokens 512,4096] [--isas auto,avx512,avx2] [--modes f32,bf16,nf4] [--rounds 3] [--threads 2]
//
// A round is one run of namesake and one of each of peft's modes; printed are each one's median speed, peak memory and first loss, and
// namesake's ratio to the fastest mode. peft in f32 takes 16 GB at 4,096 tokens a step.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { median, cpuName, ownFigures } from './own-figures.ts';
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

const work = join(root, 'native', 'build', 'bench');

interface Figures {
  tokens_per_second: number;
  peak_rss_bytes: number;
  losses: number[];
}

/** Also writes what it trains on to `tokens`. */
async function runNamesake(isa: string, batchTokens: number, tokens: string): Promise<Figures> {
  const args = ['train', '--model', defaultModel, '--batch-tokens', String(batchTokens), '--tokens-to', tokens];
  return (await ownFigures([...args, '--steps', flags.steps, '--threads', flags.threads], { NAMESAKE_ISA: isa })) as Figures;
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
    const tokens = join(work, `tokens-${batchTokens}.json`);
    const taken = new Map<string, Figures[]>();
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const name of ['namesake', ...flags.modes.split(',')]) {
        const figures = name === 'namesake' ? await runNamesake(isa, batchTokens, tokens) : await runPeft(name, isa, folder, tokens);
        taken.set(name, [...(taken.get(name) ?? []), figures]);
        stderr.write(`${isa} ${batchTokens} ${name}: ${figures.tokens_per_second.toFixed(0)} tokens/s, ${(figures.peak_rss_bytes / 1e6).toFixed(0)} MB\n`);
      }
    }
    const summary = (name: string): { tokens_per_second: number; peak_rss_bytes: number; loss: number | undefined } => {
      const runs = taken.get(name) ?? [];
      return {
        tokens_per_second: median(runs.map((run) => run.tokens_per_second)),
        peak_rss_bytes: Math.max(...runs.map((run) => run.peak_rss_bytes)),
        loss: runs[0]?.losses[0],
      };
    };
    const own = summary('namesake');
    const peers = Object.fromEntries(flags.modes.split(',').map((mode) => [mode, summary(mode)]));
    const best = Math.max(...Object.values(peers).map(({ tokens_per_second }) => tokens_per_second));
    const ratio = own.tokens_per_second / best;
    const result = { cpu: cpuName, threads: Number(flags.threads), isa, batch_tokens: batchTokens, ...own, peers, ratio };
    stdout.write(`${JSON.stringify(result)}\n`);
  }
}
