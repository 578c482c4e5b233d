// Row formats: what other programs' training files look like, each turned into the standard messages.
import { z } from 'zod';
import type { Message } from '../../shared/row.ts';

export const rowFormats = ['openai', 'alpaca', 'sharegpt', 'lesson'] as const;
/** `auto` tells the format of each row from its fields. */
export type RowFormat = (typeof rowFormats)[number] | 'auto';

const text = z.string();
const optionalText = z.string().nullish();

/** Turns of system, input and output. */
const lessonSchema = z.looseObject({
  conversation: z
    .array(z.looseObject({ system: optionalText, input: text, output: text }))
    .min(1)
    .refine((turns) => turns.every(({ system }) => !system || system === turns[0]?.system), {
      message: 'a later turn has another system text than the first',
    }),
});

/** One instruction, perhaps with something it is about, and earlier turns as LLaMA-Factory keeps them. */
const alpacaSchema = z.looseObject({
  instruction: text,
  input: optionalText,
  output: text,
  system: optionalText,
  history: z.array(z.tuple([text, text])).nullish(),
});

/** Who speaks, under all the names that such files use. Tools have no place in a conversation here. */
const speakers: Readonly<Record<string, Message['role']>> = {
  system: 'system',
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  assistant: 'assistant',
  chatgpt: 'assistant',
  model: 'assistant',
};
const speakerSchema = z.string().transform((name, context): Message['role'] => {
  const role = Object.hasOwn(speakers, name) ? speakers[name] : undefined;
  if (role !== undefined) return role;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(name.slice(0, 40))} is nobody who speaks here` });
  return z.NEVER;
});
const sharegptSchema = z.looseObject({
  system: optionalText,
  conversations: z.array(z.looseObject({ from: speakerSchema, value: text })).min(1),
});

function systemMessage(system: string | null | undefined): Message[] {
  return system ? [{ role: 'system', content: system }] : [];
}

function turn(asked: string, said: string): Message[] {
  return [...(asked === '' ? [] : [{ role: 'user' as const, content: asked }]), { role: 'assistant', content: said }];
}

function lessonMessages({ conversation }: z.infer<typeof lessonSchema>): Message[] {
  return [...systemMessage(conversation[0]?.system), ...conversation.flatMap(({ input, output }) => turn(input, output))];
}

function alpacaMessages({ instruction, input, output, system, history }: z.infer<typeof alpacaSchema>): Message[] {
  const asked = [instruction, input ?? ''].filter((part) => part !== '').join('\n');
  return [...systemMessage(system), ...(history ?? []).flatMap(([before, said]) => turn(before, said)), ...turn(asked, output)];
}

function sharegptMessages({ system, conversations }: z.infer<typeof sharegptSchema>): Message[] {
  const messages = conversations.map(({ from, value }): Message => ({ role: from, content: value }));
  return messages[0]?.role === 'system' ? messages : [...systemMessage(system), ...messages];
}

/** OpenAI's rows carry ids of any kind, and "weight": 0 where an answer is not learnt. */
function standardRow(value: object): object {
  const { id, messages, ...rest } = value as Record<string, unknown>;
  const learnt = (message: unknown): unknown =>
    typeof message === 'object' && message !== null && 'weight' in message && message.weight === 0
      ? { ...message, loss: false }
      : message;
  return {
    ...rest,
    ...(id === undefined || id === null ? {} : { id: typeof id === 'number' ? String(id) : id }),
    messages: Array.isArray(messages) ? messages.map(learnt) : messages,
  };
}

function formatOf(value: object): Exclude<RowFormat, 'auto'> {
  if ('messages' in value) return 'openai';
  if ('conversation' in value) return 'lesson';
  if ('conversations' in value) return 'sharegpt';
  return 'instruction' in value ? 'alpaca' : 'openai';
}

/** A value of a file as a row that is still to be checked; `id` is missing where it has none. Throws z.ZodError. */
export function toStandardRow(value: object, format: RowFormat): object {
  switch (format === 'auto' ? formatOf(value) : format) {
    case 'openai':
      return standardRow(value);
    case 'alpaca':
      return { messages: alpacaMessages(alpacaSchema.parse(value)) };
    case 'sharegpt':
      return { messages: sharegptMessages(sharegptSchema.parse(value)) };
    case 'lesson':
      return { messages: lessonMessages(lessonSchema.parse(value)) };
  }
}
