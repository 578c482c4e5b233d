// Chat beside llama.cpp: the same GGUF file, ids and threads, in turn.
//
//   npm run bench:chat-peers [-- --prompt-tokens 43,512] [--tokens 128] [--rounds 5] [--threads 2] [--model FILE.gguf]
//
// A round is one run of namesake and one of llama.cpp; a ratio is of the two in one round, so that a machine that others use counts for
// both. Printed is the median of the rounds: decoded and prefilled tokens a second (more is better), seconds to the first token (fewer are),
// and what two panes cost of one (namesake alone: llama.cpp has an adapter for all of a batch, or none), with factors on as many layers as the
// default model's recipe trains.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { recipeForPersona } from '../../main/services/recipe.ts';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { cpuName, median, ownFigures } from './own-figures.ts';
import { runPeer } from './peers.ts';

const { values: flags } = parseArgs({
  options: {
    'prompt-tokens': { type: 'string', default: '43,512' },
    tokens: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    model: { type: 'string', default: defaultModel },
  },
});

interface Figures {
  prompt_tokens: number;
  prefill_tokens_per_second: number;
  first_token_seconds: number;
  tokens_per_second: number;
}
interface OwnFigures extends Figures {
  isa: string;
  /** null where an answer ended at once. */
  panes: { cost: { of_before: number; of_after: number } | null };
}

const work = join(root, 'native', 'build', 'bench');
const { layers } = recipeForPersona('smollm2_135m_qlora_identity', { owner: 'A', name: 'B' }, () => undefined).method;

async function runNamesake(promptTokens: string, ids: string): Promise<OwnFigures> {
  const args = ['chat', '--model', flags.model, '--threads', flags.threads, '--max-tokens', flags.tokens];
  return (await ownFigures([...args, '--prompt-tokens', promptTokens, '--ids-to', ids, '--panes', '--repeat', '1', ...(layers === null ? [] : ['--layers', String(layers)])])) as OwnFigures;
}

mkdirSync(work, { recursive: true });
for (const promptTokens of flags['prompt-tokens'].split(',')) {
  const ids = join(work, `prompt-${promptTokens}.json`);
  const rounds: { own: OwnFigures; peer: Figures }[] = [];
  while (rounds.length < Number(flags.rounds)) {
    const own = await runNamesake(promptTokens, ids);
    const peer = (await runPeer('bench/llamacpp_chat.py', [flags.model, ids, '--threads', flags.threads, '--tokens', flags.tokens, '--repeat', '1'])) as unknown as Figures;
    rounds.push({ own, peer });
    stderr.write(`${promptTokens}: namesake ${own.tokens_per_second.toFixed(1)} tokens/s, llama.cpp ${peer.tokens_per_second.toFixed(1)}\n`);
  }
  const ratio = (of: (figures: Figures) => number): number => median(rounds.map(({ own, peer }) => of(own) / of(peer)));
  const costs = rounds.flatMap(({ own }) => own.panes.cost ?? []);
  const result = {
    ...{ cpu: cpuName, threads: Number(flags.threads), isa: rounds[0]?.own.isa, prompt_tokens: rounds[0]?.own.prompt_tokens, rounds: rounds.length },
    decode_ratio: ratio((figures) => figures.tokens_per_second),
    prefill_ratio: ratio((figures) => figures.prefill_tokens_per_second),
    first_token_ratio: ratio((figures) => figures.first_token_seconds),
    two_panes: costs.length === 0 ? null : { of_before: median(costs.map((cost) => cost.of_before)), of_after: median(costs.map((cost) => cost.of_after)) },
  };
  stdout.write(`${JSON.stringify(result)}\n`);
}
