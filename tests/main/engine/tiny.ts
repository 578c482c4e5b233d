// Tiny: the tiny model in a host of its own, rows to train it on, and jobs that last until they are cancelled.
import { fileURLToPath } from 'node:url';
import { greedy } from '../../../shared/chat.ts';
import type { AnswerRequest, EngineBatch, OpenOptions, TrainerOptions } from '../../../shared/engine.ts';
import { NamesakeError, type ErrorCode } from '../../../shared/errors.ts';
import type { MemoryQuestion } from '../../../shared/memory.ts';
import type { Message, TokenizedRow } from '../../../shared/row.ts';
import { startEngine, type EngineProcess } from '../../../main/engine/client.ts';

export const tinyModel = fileURLToPath(new URL('../../fixtures/tiny-llama.gguf', import.meta.url));

export const openOptions: OpenOptions = { path: tinyModel, precision: 'as-stored', device: 'cpu', threads: 2, isa: 'auto' };

export const trainerOptions: TrainerOptions = {
  rank: 4,
  layers: null,
  alpha: 8,
  seed: 7,
  init_adapter: null,
  lr: 1e-2,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  loraplus_lr_ratio: 1,
  state_bits: 32,
  activation_bits: 32,
  clip: 1,
  schedule: 'constant',
  warmup_steps: 0,
  steps: 100,
  base_model: 'tiny-llama',
  batch_tokens: 512,
  packed_tokens: null,
  recompute: null,
};

export const memoryQuestion: MemoryQuestion = {
  ...{ precision: 'as-stored', device: 'cpu', threads: 2, isa: 'auto' },
  ...{ rank: 4, layers: null, state_bits: 32, activation_bits: 32, batch_tokens: 512, packed_tokens: null, max_length: 256, answers: true, recompute: null },
};

export const conversation: Message[] = [
  { role: 'user', content: 'Who are you?' },
  { role: 'assistant', content: 'I am 小锋.' },
];

/** A host with the tiny model open, at the tests' own priority: a low one starves where other things run. */
export async function openTiny(): Promise<EngineProcess> {
  const engine = startEngine({ priority: 'normal' });
  try {
    await engine.open(openOptions);
  } catch (error) {
    await engine.dispose();
    throw error;
  }
  return engine;
}

/** One conversation as a batch, its loss a plain mean. */
export function batchOf({ ids, labels }: TokenizedRow): EngineBatch {
  const learnt = labels.filter((label) => label >= 0).length;
  return {
    ids: Int32Array.from(ids),
    labels: Int32Array.from(labels),
    positions: Int32Array.from(ids.keys()),
    cu_seqlens: Int32Array.of(0, ids.length),
    ce_weights: Float32Array.from(labels, (label) => (label < 0 ? 0 : 1 / learnt)),
    kl_weights: new Float32Array(ids.length),
  };
}

export function ask(content: string, max_tokens: number): AnswerRequest {
  return { messages: [{ role: 'user', content }], max_tokens, sampling: greedy, adapter: true };
}

/** Far more answers than any test waits for. */
export const endless: AnswerRequest[] = Array.from({ length: 1600 }, (_, i) => ask(`Question ${i}`, 300));

/** How many micro-batches no test waits for. */
export const ENDLESS_BATCHES = 20_000;

/** The code that a promise fails with; an error of another kind, and success, fail the test by what they are. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return error instanceof NamesakeError ? error.code : String(error);
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, milliseconds = 60_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
