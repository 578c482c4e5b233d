// Persona: who the assistant is, as the person typed it.
import { z } from 'zod';

/** Languages that the wizard has questions for. */
export const languages = ['zh', 'en'] as const;
export const languageSchema = z.enum(languages);
export type Language = z.infer<typeof languageSchema>;

export const styles = ['plain', 'warm', 'formal', 'playful'] as const;
export const styleSchema = z.enum(styles);

/**
 * One line of a name: no control characters, line breaks, braces (the wizard's slots) or < > | (a template's specials), at most
 * 60 characters.
 */
const nameSchema = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .regex(/^[^\p{Cc}\p{Cs}\p{Co}{}<>|]+$/u, 'has a character that a name cannot have');

const sentenceSchema = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}{}]+$/u, 'has a line break, a brace or another character that it cannot have');

export const personaSchema = z.strictObject({
  /** Whose assistant it is. Used as typed in every language unless `owner_en` is given. */
  owner: nameSchema,
  /** What the assistant is called. */
  name: nameSchema,
  owner_en: nameSchema.optional(),
  name_en: nameSchema.optional(),
  languages: z
    .array(languageSchema)
    .min(1)
    .transform((list) => [...new Set(list)])
    .default(['zh', 'en']),
  style: styleSchema.default('plain'),
  /** What it is built on, in the person's words ("SmolLM2"); left out where not given. */
  built_on: sentenceSchema.optional(),
  facts: z.array(sentenceSchema).max(20).default([]),
});
export type Persona = z.infer<typeof personaSchema>;
export type PersonaInput = z.input<typeof personaSchema>;
