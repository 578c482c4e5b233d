// Import: a person's own file → rows in the standard format. Every line is checked; a bad one is named, nothing is guessed.
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { rowSchema, tokenBatchesSchema, type Row, type TokenBatch } from '../../shared/row.ts';

/** The lesson's format: turns of system, input and output. */
const lessonSchema = z.looseObject({
  conversation: z
    .array(z.looseObject({ system: z.string().optional(), input: z.string(), output: z.string() }))
    .min(1),
});

export type ImportFormat = 'auto' | 'openai' | 'lesson';

function lessonMessages(line: z.infer<typeof lessonSchema>): Row['messages'] {
  return line.conversation.flatMap(({ system, input, output }, i) => [
    ...(i === 0 && system !== undefined && system !== '' ? [{ role: 'system' as const, content: system }] : []),
    ...(input === '' ? [] : [{ role: 'user' as const, content: input }]),
    { role: 'assistant' as const, content: output },
  ]);
}

function parseLine(value: unknown, format: ImportFormat, line: number): Row {
  const isLesson = typeof value === 'object' && value !== null && 'conversation' in value;
  const read = (): z.ZodSafeParseResult<Row> => {
    if (format === 'lesson' || (format === 'auto' && isLesson)) {
      const lesson = lessonSchema.safeParse(value);
      if (!lesson.success) return lesson as unknown as z.ZodSafeParseResult<Row>;
      return rowSchema.safeParse({ id: `line-${line}`, messages: lessonMessages(lesson.data) });
    }
    return rowSchema.safeParse({ id: `line-${line}`, ...(value as object) });
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NamesakeError('rows.invalid', 'it is not a JSON object', { row: line });
  }
  const parsed = read();
  if (!parsed.success) throw new NamesakeError('rows.invalid', z.prettifyError(parsed.error), { row: line });
  const row = parsed.data;
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
  return rows.map((row) => {
    const id = seen.has(row.id) ? `${row.id}-${seen.size + 1}` : row.id;
    seen.add(id);
    return { ...row, id };
  });
}

/** Batches of a `format: tokens` file. Throws rows.invalid. */
export function importTokenBatches(text: string): TokenBatch[] {
  const parsed = tokenBatchesSchema.safeParse(parseJson(text, 1));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const batch = typeof issue?.path[0] === 'number' ? issue.path[0] + 1 : 1;
    throw new NamesakeError('rows.invalid', z.prettifyError(parsed.error).slice(0, 500), { row: batch });
  }
  return parsed.data;
}
