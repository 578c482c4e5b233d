// Process memory: what the engine host takes beside the engine's own arenas, and what it will be asked between steps.
import type { MemoryQuestion } from '../../shared/memory.ts';
import type { ModelShape } from '../../shared/model.ts';
import type { NativeMemoryOptions } from './native.d.ts';
import { MOST_SLOTS, slotsFor } from './slots.ts';

/** Messages, batches and code that is compiled while it works. Measured, see native/README.md. */
const WORK_BYTES = 4_500_000;
/** A token's text in the vocabulary and in the merges: as JavaScript strings, in maps, and as read from the file. */
const BYTES_PER_TOKEN = 740;
/** A run's rows on their way through template and tokenizer, its questions and their answers. Measured, as above. */
const RUN_BYTES = 10_000_000;
/** A short question under a system text, with its answer: what probes are. */
const PROBE_TOKENS = 160;
/** The texts by which it is measured what was kept of the base, in one batch. */
const SCORED_TOKENS = 1024;

/** Bytes by which the host grows with a model of so many tokens, over what it takes when it has just started. */
export function processGrowth({ rank, answers }: Pick<MemoryQuestion, 'rank' | 'answers'>, vocab: number): number {
  return WORK_BYTES + vocab * BYTES_PER_TOKEN + (rank > 0 && answers ? RUN_BYTES : 0);
}

/** What is computed while no step is. */
export function betweenSteps(
  { rank, max_length, answers }: Pick<MemoryQuestion, 'rank' | 'max_length' | 'answers'>,
  shape: ModelShape,
): Pick<NativeMemoryOptions, 'slots' | 'answer_tokens' | 'score_tokens'> {
  if (!answers) return { slots: 0, answer_tokens: 0, score_tokens: 0 };
  // A chat is one sequence, or two where both sides answer; probes are many short ones.
  if (rank === 0) return { slots: 2, answer_tokens: Math.min(max_length, shape.context), score_tokens: 0 };
  const answer_tokens = Math.min(PROBE_TOKENS, shape.context);
  const requests = Array.from({ length: MOST_SLOTS }, () => ({ prompt: { length: answer_tokens }, max_tokens: 0 }));
  return { slots: slotsFor(requests, shape), answer_tokens, score_tokens: Math.min(SCORED_TOKENS, shape.context) };
}
