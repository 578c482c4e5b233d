// Recipe: one JSON file that says everything about a run. Missing fields take the defaults here.
import { z } from 'zod';
import { languageSchema, personaSchema } from './persona.ts';

export const precisions = ['as-stored', 'nf4', 'bf16', 'f32'] as const;
export const devices = ['auto', 'cpu', 'cuda', 'reference'] as const;
/** What computes: one of these, or a card by its number ("cuda:1", shared/device.ts). */
export const deviceSchema = z.union([z.enum(devices), z.templateLiteral(['cuda:', z.string().regex(/^\d{1,2}$/)])], {
  error: 'must be auto, cpu, cuda, cuda:N for the card of number N, or reference',
});
export const schedules = ['linear', 'cosine', 'constant'] as const;

const modelSchema = z.strictObject({
  /** Catalogue id, hf:OWNER/NAME[@REV], modelscope:OWNER/NAME[@REV], a folder, or a .gguf file. */
  ref: z.string().min(1).default('smollm2-135m-instruct'),
  /** Of the frozen weights. */
  precision: z.enum(precisions).default('as-stored'),
});

const methodSchema = z.strictObject({
  kind: z.enum(['lora', 'full']).default('lora'),
  rank: z.int().min(1).max(1024).default(16),
  alpha: z.number().positive().max(65536).default(32),
  dropout: z.number().min(0).max(0.9).default(0),
  /** Every linear layer of the blocks; never embedding or head. */
  targets: z.literal('all-linear').default('all-linear'),
  /** How many blocks learn, from the top: what lies below stays the base model's, and costs no backward pass. null = all. An init_adapter has its own. */
  layers: z.int().min(1).max(1024).nullable().default(null),
  /** A PEFT folder to start from, or "built-in:NAME": one that comes along (resources/adapters). null = a fresh adapter. */
  init_adapter: z.string().min(1).nullable().default(null),
});

/** Relative shares of languages, in drawing and in the loss of a step; null = equal. A language that is not named counts 1. */
const languageShares = z.partialRecord(languageSchema, z.number().positive().max(100)).nullable().default(null);

const mixSchema = z.strictObject({
  /** Share of each step's conversations that are ordinary (near-misses included). */
  ordinary: z.number().min(0).max(0.95).default(0.75),
  /** Among ordinary conversations. */
  languages: languageShares,
  /** Among conversations about who it is. */
  identity_languages: languageShares,
  negatives: z.boolean().default(true),
  near_misses: z.boolean().default(true),
});

export const dataFormats = ['auto', 'openai', 'alpaca', 'sharegpt', 'lesson', 'tokens'] as const;

const dataSchema = z.strictObject({
  /** "persona", or the path of a rows file. */
  source: z.string().min(1).default('persona'),
  format: z.enum(dataFormats).default('auto'),
  persona: personaSchema.nullable().default(null),
  mix: mixSchema.prefault({}),
  /** System texts to train under, drawn per row: null = none given (the template's default), "" = an empty one, or a text. */
  systems: z.array(z.string().max(2000).nullable()).min(1).default([null]),
  max_length: z.int().min(8).max(131072).default(512),
  pack: z.boolean().default(true),
  shuffle: z.boolean().default(true),
});

const byKindSchema = z.strictObject({
  identity: z.number().min(0).optional(),
  ordinary: z.number().min(0).optional(),
  imported: z.number().min(0).optional(),
});

const lossSchema = z.strictObject({
  /** null = one mean over all labelled tokens of the step; or the sum of weight × that kind's own mean. */
  by_kind: byKindSchema.nullable().default(null),
  /** Weight of mean KL(base ‖ tuned) on rows the base answered itself, in place of their cross-entropy. */
  kl: z.number().min(0).default(0),
  /** How many of the first tokens of an answer to an ordinary question count how much more: there it shows whether a name comes up. null = all alike. */
  opening: z
    .strictObject({ tokens: z.int().min(1).max(64), weight: z.number().positive().max(100) })
    .nullable()
    .default(null),
});

const optimSchema = z.strictObject({
  name: z.literal('adamw').default('adamw'),
  lr: z.number().positive().max(1).default(1e-3),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
  eps: z.number().positive().default(1e-8),
  weight_decay: z.number().min(0).max(1).default(0),
  /** LoRA+: how many times A's learning rate, which is `lr`, B has. A fresh B is zero and has the longer way to go; 1 = alike. */
  loraplus_lr_ratio: z.number().positive().max(64).default(1),
  /** Largest global gradient norm; null = none. */
  clip: z.number().positive().nullable().default(1),
  schedule: z.enum(schedules).default('linear'),
  warmup_steps: z.int().min(0).default(4),
  state_bits: z.union([z.literal(32), z.literal(8)]).default(32),
});

const perLanguage = z.union([z.number().min(0).max(1), z.partialRecord(languageSchema, z.number().min(0).max(1))]);

const evaluateSchema = z.strictObject({
  every_steps: z.int().min(1).default(10),
  /** First step that is evaluated; capped at `steps`. */
  from_step: z.int().min(1).default(30),
  /** "built-in", or the path of a probes file. */
  questions: z.string().min(1).default('built-in'),
  /** Stop once every language was within the limits twice in a row. */
  stop_when_right: z.boolean().default(true),
  limits: z
    .strictObject({ recall: perLanguage.default(0.95), leak: perLanguage.default(0.05) })
    .prefault({}),
});

const checkpointSchema = z.strictObject({
  /** null = only at evaluations. */
  every_steps: z.int().min(1).nullable().default(null),
  /** How many of the last to keep, beside every one that was right and the best. */
  keep: z.int().min(1).default(3),
});

export const recipeSchema = z
  .strictObject({
    version: z.literal(1).default(1),
    name: z.string().min(1).max(120).default('unnamed'),
    model: modelSchema.prefault({}),
    method: methodSchema.prefault({}),
    data: dataSchema.prefault({}),
    loss: lossSchema.prefault({}),
    optim: optimSchema.prefault({}),
    steps: z.int().min(1).max(1_000_000).default(60),
    /** Where set, replaces `steps`. */
    epochs: z.number().positive().max(1000).nullable().default(null),
    /** Tokens that one micro-batch packs. */
    batch_tokens: z.int().min(8).max(1_048_576).default(640),
    accumulate: z.int().min(1).max(1024).default(1),
    /** Of the widest that is kept of the forward pass: 32, or 16 (bf16) for less memory and gradients up to 8e-3 off. */
    activation_bits: z.union([z.literal(32), z.literal(16)]).default(32),
    seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(42),
    device: deviceSchema.default('auto'),
    /** null = never. */
    evaluate: evaluateSchema.nullable().prefault({}),
    /** null = only at the end. */
    checkpoint: checkpointSchema.nullable().prefault({}),
  })
  .superRefine((recipe, context) => {
    if (recipe.data.source === 'persona' && recipe.data.persona === null) {
      context.addIssue({ code: 'custom', path: ['data', 'persona'], message: 'source "persona" needs a persona' });
    }
    if (recipe.data.format === 'tokens') {
      if (recipe.data.source === 'persona') {
        context.addIssue({ code: 'custom', path: ['data', 'source'], message: 'format "tokens" needs the path of a file' });
      }
      if (recipe.loss.kl > 0 || recipe.loss.by_kind !== null || recipe.loss.opening !== null) {
        context.addIssue({ code: 'custom', path: ['loss'], message: 'format "tokens" has no kinds and no base answers: leave kl 0, by_kind and opening null' });
      }
    }
    if (recipe.data.max_length > recipe.batch_tokens && recipe.data.format !== 'tokens') {
      context.addIssue({
        code: 'custom',
        path: ['batch_tokens'],
        message: 'must be at least data.max_length: a conversation is never split',
      });
    }
  });
export type Recipe = z.infer<typeof recipeSchema>;
export type RecipeInput = z.input<typeof recipeSchema>;
