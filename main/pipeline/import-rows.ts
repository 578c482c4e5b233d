// Import: a person's own file → rows in the standard format. Every line is checked; a bad one is named, nothing is guessed.
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { rowSchema, tokenBatchesSchema, type Message, type Row, type TokenBatch } from '../../shared/row.ts';
import { toStandardRow, type RowFormat } from './row-formats.ts';

/** Deeper than any row; what nests without end breaks other programs' readers, and ours. */
const DEEPEST = 64;
/** Refusals that a report names. */
const NAMED_REFUSALS = 100;
const LONGEST_REASON = 300;
/** How long reading may keep the program from hearing others. */
const SLICE_MS = 50;

/** What is wrong with a conversation; null where nothing is. `answered` asks for a message of the assistant. */
export function messagesFault(messages: readonly Message[], answered = true): string | null {
  for (const [i, { role, loss }] of messages.entries()) {
    if (role === 'system' && i > 0) return 'a system message that is not the first';
    if (role !== 'assistant' && loss === true) return `loss on a ${role} message`;
  }
  return answered && !messages.some(({ role }) => role === 'assistant') ? 'no message of the assistant' : null;
}

/** Why a message is longer than is taken; null where none is. */
export function lengthFault(messages: readonly Message[], most: number): string | null {
  const long = messages.find(({ content }) => content.length > most);
  return long === undefined ? null : `a message of ${long.content.length} characters, more than ${most}`;
}

function refusal(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}

/** Whether brackets nest deeper than `limit`, outside of strings. */
function nestsDeeper(text: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (quoted) {
      if (unit === 0x5c) i++;
      else if (unit === 0x22) quoted = false;
    } else if (unit === 0x22) quoted = true;
    else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > limit) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return false;
}

function parseJson(text: string): unknown {
  if (nestsDeeper(text, DEEPEST)) throw new Error(`nested more than ${DEEPEST} deep`);
  return JSON.parse(text);
}

function parseRow(value: unknown, format: RowFormat, line: number): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is not a JSON object');
  const row = rowSchema.parse({ id: `line-${line}`, ...toStandardRow(value, format) });
  const fault = messagesFault(row.messages);
  if (fault !== null) throw new Error(fault);
  return row;
}

/** One row of a file, or why it is none. Lines (or elements of an array) count from 1. */
type Parsed = { line: number; row: Row } | { line: number; reason: string };

function attempt(line: number, work: () => Row): Parsed {
  try {
    return { line, row: work() };
  } catch (error) {
    return { line, reason: refusal(error) };
  }
}

/** The rows of a text in JSON lines, or of one JSON array, in its order. */
function* parseRows(text: string, format: RowFormat): Generator<Parsed> {
  const body = text.replace(/^\uFEFF/, '');
  if (body.trimStart().startsWith('[')) {
    let list: unknown[];
    try {
      list = parseJson(body) as unknown[];
    } catch (error) {
      yield { line: 1, reason: refusal(error) };
      return;
    }
    for (const [i, value] of list.entries()) yield attempt(i + 1, () => parseRow(value, format, i + 1));
    return;
  }
  let line = 1;
  for (let start = 0; start < body.length; line++) {
    const found = body.indexOf('\n', start);
    const end = found < 0 ? body.length : found;
    const content = body.slice(start, end);
    const number = line;
    if (content.trim() !== '') yield attempt(number, () => parseRow(parseJson(content), format, number));
    start = end + 1;
  }
}

/** Rows with ids of their own: the copies of one get numbers. */
function withOwnIds(rows: readonly Row[]): Row[] {
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

/** All rows of a JSONL text or of one JSON array. Throws rows.invalid with the line (or element) number, or rows.empty. */
export function importRows(text: string, format: RowFormat): Row[] {
  const rows: Row[] = [];
  for (const parsed of parseRows(text, format)) {
    if ('reason' in parsed) throw new NamesakeError('rows.invalid', parsed.reason, { row: parsed.line });
    rows.push(parsed.row);
  }
  if (rows.length === 0) throw new NamesakeError('rows.empty', 'the file holds no rows');
  return withOwnIds(rows);
}

export interface ReadRows {
  rows: Row[];
  /** The first hundred lines that were left out. */
  refused: { line: number; reason: string }[];
  refused_total: number;
}

/**
 * The good rows of a JSONL text or of one JSON array, and what is wrong with the others. Rows beyond `limits.rows`, and those
 * with a message of more than `limits.characters` (UTF-16 units), are refused. Lets others run in between. Ids may repeat.
 * Throws rows.empty where the text holds nothing at all.
 */
export async function readRows(text: string, format: RowFormat, limits: { rows: number; characters: number }): Promise<ReadRows> {
  const read: ReadRows = { rows: [], refused: [], refused_total: 0 };
  let pause = performance.now() + SLICE_MS;
  for (const parsed of parseRows(text, format)) {
    const reason =
      'reason' in parsed
        ? parsed.reason
        : (lengthFault(parsed.row.messages, limits.characters) ??
          (read.rows.length >= limits.rows ? `more than ${limits.rows} rows` : null));
    if (reason === null && 'row' in parsed) read.rows.push(parsed.row);
    else {
      read.refused_total++;
      if (read.refused.length < NAMED_REFUSALS) read.refused.push({ line: parsed.line, reason: (reason ?? '').slice(0, LONGEST_REASON) });
    }
    if (performance.now() < pause) continue;
    await setImmediate();
    pause = performance.now() + SLICE_MS;
  }
  if (read.rows.length + read.refused_total === 0) throw new NamesakeError('rows.empty', 'the file holds no rows');
  return read;
}

/** Batches of a `format: tokens` file. Throws rows.invalid. */
export function importTokenBatches(text: string): TokenBatch[] {
  let value: unknown;
  try {
    value = parseJson(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new NamesakeError('rows.invalid', refusal(error), { row: 1 });
  }
  const parsed = tokenBatchesSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const batch = typeof issue?.path[0] === 'number' ? issue.path[0] + 1 : 1;
    throw new NamesakeError('rows.invalid', z.prettifyError(parsed.error).slice(0, 500), { row: batch });
  }
  return parsed.data;
}
