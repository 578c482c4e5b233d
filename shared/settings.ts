// Settings: what a person chose once for all windows of a home.
import { z } from 'zod';
import { languageSchema } from './persona.ts';

const sourceSchema = z.enum(['huggingface', 'hf-mirror', 'modelscope']);
const fields = {
  /** null = the system's. */
  language: languageSchema.nullable(),
  theme: z.enum(['system', 'light', 'dark', 'contrast']),
  /** Which hosts are asked for a model, in this order. */
  sources: z.array(sourceSchema).min(1).max(3),
  /** A mirror in Hugging Face's layout, asked first; HF_ENDPOINT where null. */
  endpoint: z.url({ protocol: /^https?$/ }).max(500).nullable(),
  /** Threads of the engine; 0 = all physical cores, a window leaving one free where there are four or more. */
  threads: z.int().min(0).max(1024),
  notify_when_done: z.boolean(),
};

export const settingsSchema = z.strictObject({
  language: fields.language.default(null),
  theme: fields.theme.default('system'),
  sources: fields.sources.default(['huggingface', 'hf-mirror', 'modelscope']),
  endpoint: fields.endpoint.default(null),
  threads: fields.threads.default(0),
  notify_when_done: fields.notify_when_done.default(true),
});
export type Settings = z.output<typeof settingsSchema>;

/** Some of the settings: those that are not named stay as they are (a default would set them back). */
export const settingsChangeSchema = z.strictObject(fields).partial();

/** Where a token for gated models is: sealed by the system, in memory, in the environment of the program, or nowhere. */
export type TokenKept = 'encrypted' | 'memory' | 'environment' | 'none';
