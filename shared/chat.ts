// Chat: sampling, and what one answer was.
import { z } from 'zod';

/** temperature 0 = greedy. Filters apply in this order: repetition penalty, temperature, top-k, top-p, min-p. */
export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(5).default(0),
  top_k: z.int().min(0).default(0),
  top_p: z.number().gt(0).max(1).default(1),
  min_p: z.number().min(0).max(1).default(0),
  repetition_penalty: z.number().min(1).max(10).default(1),
  seed: z.int().min(0).default(0),
});
export type Sampling = z.infer<typeof samplingSchema>;
export const greedy: Sampling = samplingSchema.parse({});

export type StopReason = 'stop' | 'length' | 'cancelled';

export interface Answer {
  text: string;
  /** Generated tokens, without the stop token. */
  tokens: number;
  prompt_tokens: number;
  stop: StopReason;
}

/** Questions file: one JSON object a line, other keys ignored. */
export const questionSchema = z.looseObject({ question: z.string().min(1) });
