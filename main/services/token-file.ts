// tokens.bin: the rows of a run after tokenising, so that a resumed run trains on the very same ids.
// Layout (little-endian): "NSTK", u32 version 1, u32 bytes of a JSON header, the header (an array of {length, kind, lang,
// origin}), then for each row its ids and its labels as i32.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { rowKinds, rowOrigins } from '../../shared/row.ts';
import { writeWhole } from '../disk.ts';
import type { PackableRow } from '../pipeline/rows-to-batches.ts';

const MAGIC = 'NSTK';
const VERSION = 1;
const HEADER_AT = 12;

const headerSchema = z.array(
  z.object({ length: z.int().nonnegative(), kind: z.enum(rowKinds), lang: z.string(), origin: z.enum(rowOrigins) }),
);

/** Writes rows whole or not at all. Throws disk.full or disk.unwritable. */
export function writeTokens(path: string, rows: readonly PackableRow[]): void {
  const header = Buffer.from(
    JSON.stringify(rows.map(({ ids, kind, lang, origin }) => ({ length: ids.length, kind, lang, origin }))),
  );
  const start = Buffer.alloc(HEADER_AT);
  start.write(MAGIC, 'latin1');
  start.writeUInt32LE(VERSION, 4);
  start.writeUInt32LE(header.length, 8);
  const numbers = rows.flatMap(({ ids, labels }) => [...ids, ...labels]);
  const body = Buffer.alloc(numbers.length * 4);
  numbers.forEach((value, i) => body.writeInt32LE(value, i * 4));
  writeWhole(path, Buffer.concat([start, header, body]));
}

/** Reads rows back. Throws checkpoint.invalid for a file that is damaged, run.no_checkpoint where there is none. */
export function readTokens(path: string, run: string): PackableRow[] {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new NamesakeError('run.no_checkpoint', error instanceof Error ? error.message : String(error), { run });
  }
  try {
    if (file.toString('latin1', 0, 4) !== MAGIC || file.readUInt32LE(4) !== VERSION) throw new Error('not a tokens file');
    let at = HEADER_AT + file.readUInt32LE(8);
    const header = headerSchema.parse(JSON.parse(file.toString('utf8', HEADER_AT, at)));
    const take = (count: number): number[] => {
      const values = Array.from({ length: count }, (_, i) => file.readInt32LE(at + 4 * i));
      at += 4 * count;
      return values;
    };
    const rows = header.map(({ length, ...row }) => ({ ids: take(length), labels: take(length), ...row }));
    if (at !== file.length) throw new Error(`${file.length - at} bytes too many`);
    return rows;
  } catch (error) {
    throw new NamesakeError('checkpoint.invalid', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
