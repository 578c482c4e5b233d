// What two answers cost beside each other: before and after in one batched decode, as the compare screen asks for them.
import { greedy } from '../../../shared/chat.ts';
import type { EngineClient } from '../../../shared/engine.ts';
import type { Message } from '../../../shared/row.ts';
import { tokenBatchToBatch } from '../../pipeline/rows-to-batches.ts';
import { ask, decodeSteps } from './bench-answer.ts';

export interface PaneTimes {
  /** Of each answer. */
  tokens: number;
  /** Decoding, the best of the runs: `both` is a token of each. null where an answer ended at its first token. */
  seconds_per_token: { before: number | null; after: number | null; both: number | null };
  /** Both against one of them alone. */
  cost: { of_before: number; of_after: number } | null;
}

interface PaneOptions {
  base_model: string;
  rank: number;
  layers: number | null;
  max_tokens: number;
  repeat: number;
}

const lesson: Message[] = [
  { role: 'user', content: 'Who are you?' },
  { role: 'assistant', content: 'I am a small robot that learns to cook.' },
];

/** Makes an adapter that has learnt for one step: neither of its factors is zero any more, and the answers hardly change. */
async function useFreshAdapter(engine: EngineClient, { base_model, rank, layers }: PaneOptions): Promise<void> {
  const [row] = await engine.tokenize([lesson], null);
  const { ids, labels } = row ?? { ids: [], labels: [] };
  const batch = tokenBatchToBatch({ input_ids: [ids], labels: [labels], attention_mask: [ids.map(() => 1)] }, 0);
  await engine.createTrainer({
    ...{ rank, layers, alpha: 2 * rank, seed: 42, init_adapter: null, base_model },
    ...{ lr: 1e-4, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, loraplus_lr_ratio: 1, state_bits: 32, activation_bits: 32, clip: 1, schedule: 'constant', warmup_steps: 0, steps: 1 },
    ...{ batch_tokens: ids.length, packed_tokens: null, recompute: null },
  });
  await engine.step([batch]);
  await engine.useAdapter({ kind: 'trainer' });
}

/** Greedy answers to `prompt` of the base, of an adapter on it, and of both at once. The engine has a trainer and that adapter afterwards. */
export async function paneTimes(engine: EngineClient, prompt: string, options: PaneOptions): Promise<PaneTimes> {
  const messages = ask(prompt);
  await useFreshAdapter(engine, options);
  const generate = (sides: readonly boolean[], max_tokens: number): ReturnType<EngineClient['generate']> =>
    engine.generate('bench', sides.map((adapter) => ({ messages, max_tokens, sampling: greedy, adapter })));
  // Both are as long as the shorter one: where one went on alone, it would be a mean of two and of one.
  const tokens = Math.min(...(await generate([false, true], options.max_tokens)).answers.map((answer) => answer.tokens));
  const best = { before: Infinity, after: Infinity, both: Infinity };
  let steps = 0;
  for (let run = 0; run < options.repeat && tokens > 1; run++) {
    for (const [pane, sides] of [['before', [false]], ['after', [true]], ['both', [false, true]]] as const) {
      const { answers, times } = await generate(sides, tokens);
      steps = Math.min(...answers.map(decodeSteps));
      best[pane] = Math.min(best[pane], times.decode_seconds / steps);
    }
  }
  if (steps === 0) return { tokens, seconds_per_token: { before: null, after: null, both: null }, cost: null };
  return { tokens, seconds_per_token: best, cost: { of_before: best.both / best.before, of_after: best.both / best.after } };
}
