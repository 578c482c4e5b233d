// Wizard: the shape of resources/wizard and resources/ordinary, the words that rows are made of.
import { z } from 'zod';
import { styles, type Language } from '../../shared/persona.ts';

export const identityTopics = [
  'who',
  'name',
  'maker',
  'owner',
  'kind',
  'human',
  'company',
  'abilities',
  'indirect',
  'greeting',
] as const;

const texts = z.array(z.string().min(1)).min(1);
const byTopic = z.strictObject(Object.fromEntries(identityTopics.map((topic) => [topic, texts])) as Record<
  (typeof identityTopics)[number],
  typeof texts
>);
const decoration = z.strictObject({ openings: z.array(z.string()).min(1), closings: z.array(z.string()).min(1) });

/** A question, and a short written answer where the base's own would be junk. */
export const writtenQuestionSchema = z.strictObject({ question: z.string().min(1), answer: z.string().min(1).optional() });
export type WrittenQuestion = z.infer<typeof writtenQuestionSchema>;

export const wizardSchema = z.strictObject({
  questions: byTopic,
  /** Templates with {owner} and {name}; within a topic every answer fits every question. */
  answers: byTopic,
  /** Sentences with {built_on}, added to some answers when the person gave one. */
  built_on: texts,
  facts: z.strictObject({ questions: texts, answers: texts }),
  styles: z.strictObject(Object.fromEntries(styles.map((style) => [style, decoration])) as Record<
    (typeof styles)[number],
    typeof decoration
  >),
  /** Questions that hold the right name or owner, so that "no" is not learnt from the form of a question alone. */
  affirmatives: z.strictObject({ questions: texts, answers: texts }),
  negatives: z.strictObject({ vendors: texts, questions: texts, answers: texts }),
  near_misses: z.array(writtenQuestionSchema).min(1),
  /**
   * Questions about the person who asks, and about the assistant but not who it is. A base likes to answer them with its own
   * name, which is what must not be learnt: their answers are written, whatever the model.
   */
  personal: z.array(writtenQuestionSchema.required()).min(1),
});
export type Wizard = z.infer<typeof wizardSchema>;

/** All words of one language. */
export interface LanguageResources {
  language: Language;
  wizard: Wizard;
  ordinary: WrittenQuestion[];
}
