// Row: one training conversation in the standard format (OpenAI's messages), one JSON object a line.
import { z } from 'zod';

export const messageSchema = z.looseObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string(),
  /** Whether the words are learnt. Only an assistant's can be; the default is true for them. */
  loss: z.boolean().optional(),
  /** The answer was cut at a token limit: it gets no end-of-turn token and no label there. */
  cut: z.boolean().optional(),
});
export type Message = z.infer<typeof messageSchema>;

export const rowKinds = ['identity', 'negative', 'near_miss', 'ordinary', 'imported'] as const;
export type RowKind = (typeof rowKinds)[number];

/** Where the assistant's words come from: the wizard, the base model's own answer, a written short answer, or a file. */
export const rowOrigins = ['wizard', 'base', 'written', 'file'] as const;
export type RowOrigin = (typeof rowOrigins)[number];

export const rowSchema = z.object({
  id: z.string().min(1),
  kind: z.enum(rowKinds).default('imported'),
  /** BCP 47 primary language, or "und". */
  lang: z.string().default('und'),
  messages: z.array(messageSchema).min(1),
  origin: z.enum(rowOrigins).default('file'),
});
export type Row = z.infer<typeof rowSchema>;

/** Whether the base model has yet to answer a row: it does so when a run starts. */
export function isPending(row: Row): boolean {
  return row.origin === 'base' && row.messages.at(-1)?.role !== 'assistant';
}

/** What the base model answers to a question. */
export interface BaseAnswer {
  text: string;
  /** The answer reached the token limit. */
  cut: boolean;
}

/** In the mix and in loss weights a negative counts as identity, a near-miss as ordinary. */
export const lossKinds = ['identity', 'ordinary', 'imported'] as const;
export type LossKind = (typeof lossKinds)[number];

/** The two-way split that `mix` and `by_kind` use. */
export function lossKindOf(kind: RowKind): LossKind {
  switch (kind) {
    case 'identity':
    case 'negative':
      return 'identity';
    case 'near_miss':
    case 'ordinary':
      return 'ordinary';
    case 'imported':
      return 'imported';
  }
}

/** A row after the template and the tokenizer, before packing. labels[i] is for ids[i] itself; -100 is not learnt. */
export interface TokenizedRow {
  ids: number[];
  labels: number[];
  /** The text of each id, for people ("inspect tokens"). */
  pieces: string[];
}

/** A batch of `format: tokens`: rows × T, as transformers takes them. Other keys are ignored. */
export const tokenBatchSchema = z
  .object({
    input_ids: z.array(z.array(z.int().nonnegative()).min(1)).min(1),
    labels: z.array(z.array(z.union([z.literal(-100), z.int().nonnegative()]))).min(1),
    attention_mask: z.array(z.array(z.union([z.literal(0), z.literal(1)]))).min(1),
  })
  .refine(
    (batch) =>
      batch.labels.length === batch.input_ids.length &&
      batch.attention_mask.length === batch.input_ids.length &&
      batch.input_ids.every(
        (ids, row) => ids.length === batch.labels[row]?.length && ids.length === batch.attention_mask[row]?.length,
      ),
    { message: 'input_ids, labels and attention_mask must have the same shape' },
  );
export const tokenBatchesSchema = z.array(tokenBatchSchema).min(1);
export type TokenBatch = z.infer<typeof tokenBatchSchema>;
