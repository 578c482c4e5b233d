// Import: a person's own file → rows in the standard format. Every line is checked; a bad one is named, nothing is guessed.
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { rowSchema, tokenBatchesSchema, type Row, type TokenBatch } from '../../shared/row.ts';

/** The lesson's format: turns of system, input and output. */
const lessonSchema = z.looseObject({
  conversation: z
    .array(z.looseObject({ system: z.string().nullish(), input: z.string(), output: z.string() }))
    .min(1)
    .refine((turns) => turns.every(({ system }) => !system || system === turns[0]?.system), {
      message: 'a later turn has another system text than the first',
    }),
});

/** OpenAI's rows carry ids of any kind, and "weight": 0 where an answer is not learnt. */
function standardRow(value: object, line: number): unknown {
  const { id, messages, ...rest } = value as Record<string, unknown>;
  const learnt = (message: unknown): unknown =>
    typeof message === 'object' && message !== null && 'weight' in message && message.weight === 0
      ? { ...message, loss: false }
      : message;
  return {
    ...rest,
    id: typeof id === 'number' ? String(id) : (id ?? `line-${line}`),
    messages: Array.isArray(messages) ? messages.map(learnt) : messages,
  };
}

export type ImportFormat = 'auto' | 'openai' | 'lesson';

function lessonMessages(line: z.infer<typeof lessonSchema>): Row['messages'] {
  return line.conversation.flatMap(({ system, input, output }, i) => [
    ...(i === 0 && system ? [{ role: 'system' as const, content: system }] : []),
    ...(input === '' ? [] : [{ role: 'user' as const, content: input }]),
    { role: 'assistant' as const, content: output },
  ]);
}

function parseLine(value: unknown, format: ImportFormat, line: number): Row {
  const checked = <T>(parsed: z.ZodSafeParseResult<T>): T => {
    if (!parsed.success) throw new NamesakeError('rows.invalid', z.prettifyError(parsed.error), { row: line });
    return parsed.data;
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NamesakeError('rows.invalid', 'it is not a JSON object', { row: line });
  }
  const isLesson = format === 'lesson' || (format === 'auto' && 'conversation' in value);
  const row = checked(
    rowSchema.safeParse(
      isLesson
        ? { id: `line-${line}`, messages: lessonMessages(checked(lessonSchema.safeParse(value))) }
        : standardRow(value, line),
    ),
  );
  row.messages.forEach((message, i) => {
    const fault =
      message.role === 'system' && i > 0
        ? 'a system message that is not the first'
        : message.role !== 'assistant' && message.loss === true
          ? `loss on a ${message.role} message`
          : null;
    if (fault !== null) throw new NamesakeError('rows.invalid', fault, { row: line });
  });
  if (!row.messages.some((message) => message.role === 'assistant')) {
    throw new NamesakeError('rows.invalid', 'no message of the assistant', { row: line });
  }
  return row;
}

function parseJson(text: string, row: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NamesakeError('rows.invalid', error instanceof Error ? error.message : String(error), { row });
  }
}

/** Rows of a JSONL text or of one JSON array. Throws rows.invalid with the line (or element) number, counted from 1. */
export function importRows(text: string, format: ImportFormat): Row[] {
  const body = text.replace(/^\uFEFF/, '');
  const rows = body.trimStart().startsWith('[')
    ? (parseJson(body, 1) as unknown[]).map((value, i) => parseLine(value, format, i + 1))
    : body.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parseLine(parseJson(line, i + 1), format, i + 1)]));
  if (rows.length === 0) throw new NamesakeError('rows.empty', 'the file holds no rows');
  const seen = new Set<string>();
  const copies = new Map<string, number>();
  return rows.map((row) => {
    let id = row.id;
    while (seen.has(id)) {
      const copy = (copies.get(row.id) ?? 1) + 1;
      copies.set(row.id, copy);
      id = `${row.id}-${copy}`;
    }
    seen.add(id);
    return { ...row, id };
  });
}

/** Batches of a `format: tokens` file. Throws rows.invalid. */
export function importTokenBatches(text: string): TokenBatch[] {
  const parsed = tokenBatchesSchema.safeParse(parseJson(text.replace(/^\uFEFF/, ''), 1));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const batch = typeof issue?.path[0] === 'number' ? issue.path[0] + 1 : 1;
    throw new NamesakeError('rows.invalid', z.prettifyError(parsed.error).slice(0, 500), { row: batch });
  }
  return parsed.data;
}
