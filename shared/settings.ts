// Settings: what a person chose once for all windows of a home.
import { z } from 'zod';
import { languageSchema } from './persona.ts';

export const settingsSchema = z.strictObject({
  /** null = the system's. */
  language: languageSchema.nullable().default(null),
  theme: z.enum(['system', 'light', 'dark', 'contrast']).default('system'),
  /** Which hosts are asked for a model, in this order. */
  sources: z
    .array(z.enum(['huggingface', 'hf-mirror', 'modelscope']))
    .min(1)
    .max(3)
    .default(['huggingface', 'hf-mirror', 'modelscope']),
  /** A mirror in Hugging Face's layout, asked first; HF_ENDPOINT where null. */
  endpoint: z.url({ protocol: /^https?$/ }).max(500).nullable().default(null),
  /** Threads of the engine; 0 = all physical cores, a window leaving one free where there are four or more. */
  threads: z.int().min(0).max(1024).default(0),
  notify_when_done: z.boolean().default(true),
});
export type Settings = z.output<typeof settingsSchema>;
