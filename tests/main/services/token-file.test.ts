import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readTokens, writeTokens } from '../../../main/services/token-file.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { rowKinds, rowOrigins } from '../../../shared/row.ts';
import { nastyText } from '../../support/arbitrary.ts';
import { temporaryFolder } from '../../support/files.ts';

/** More of them, for a night's search. */
const RUNS = Number(process.env['NAMESAKE_PROPERTY_RUNS'] ?? 150);

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const row = fc
  .record({
    tokens: fc.array(fc.tuple(int32, int32), { maxLength: 20 }),
    kind: fc.constantFrom(...rowKinds),
    lang: nastyText,
    origin: fc.constantFrom(...rowOrigins),
  })
  .map(({ tokens, ...rest }) => ({ ids: tokens.map(([id]) => id), labels: tokens.map(([, label]) => label), ...rest }));
const rows = fc.array(row, { maxLength: 6 });

/** What one accident of a disk, or a hand, does to a file. */
const damage = fc.oneof(
  fc.record({ at: fc.nat(), cut: fc.nat({ max: 12 }), put: fc.uint8Array({ maxLength: 12 }) }),
  fc.record({ at: fc.nat(), cut: fc.constant(Infinity), put: fc.constant(new Uint8Array()) }),
  fc.record({ at: fc.constantFrom(4, 8), cut: fc.constant(4), put: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
);

const damaged = (file: Buffer, { at, cut, put }: { at: number; cut: number; put: Uint8Array }): Buffer => {
  const start = at % (file.length + 1);
  return Buffer.concat([file.subarray(0, start), put, file.subarray(Math.min(start + cut, file.length))]);
};

/** Reads bytes as tokens.bin: rows, whose numbers all come from the file, or the one code that a damaged file has. */
function readOrRefuse(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  let read;
  try {
    read = readTokens(path, 'a-run');
  } catch (error) {
    expect(error).toBeInstanceOf(NamesakeError);
    expect(error).toMatchObject({ code: 'checkpoint.invalid' });
    return;
  }
  expect(read.reduce((sum, { ids, labels }) => sum + ids.length + labels.length, 0) * 4).toBeLessThanOrEqual(bytes.length);
  for (const { ids, labels } of read) expect(labels).toHaveLength(ids.length);
}

it('gives back the rows that it was given', () => {
  const path = join(temporaryFolder(), 'tokens.bin');
  fc.assert(
    fc.property(rows, (given) => {
      writeTokens(path, given);
      expect(readTokens(path, 'a-run')).toEqual(given);
    }),
    { numRuns: RUNS },
  );
});

it('refuses a damaged file by its code, and reads nothing that is not there', () => {
  const path = join(temporaryFolder(), 'tokens.bin');
  fc.assert(
    fc.property(rows, fc.array(damage, { minLength: 1, maxLength: 3 }), (given, accidents) => {
      writeTokens(path, given);
      readOrRefuse(path, accidents.reduce(damaged, readFileSync(path)));
    }),
    { numRuns: RUNS },
  );
});

it('refuses whatever else it is given by the same code', () => {
  const path = join(temporaryFolder(), 'tokens.bin');
  const start = Buffer.from('NSTK\x01\0\0\0', 'latin1');
  fc.assert(
    fc.property(fc.boolean(), fc.uint8Array({ maxLength: 200 }), (begun, rest) => {
      readOrRefuse(path, begun ? Buffer.concat([start, rest]) : rest);
    }),
    { numRuns: RUNS },
  );
});

it('refuses lengths that no file has', () => {
  const path = join(temporaryFolder(), 'tokens.bin');
  const start = Buffer.from('NSTK\x01\0\0\0', 'latin1');
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.maxSafeNat(), fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53 - 1, -1, 1.5, 1e300)), { minLength: 1, maxLength: 3 }), (lengths) => {
      const header = Buffer.from(JSON.stringify(lengths.map((length) => ({ length, kind: rowKinds[0], lang: 'en', origin: rowOrigins[0] }))));
      const size = Buffer.alloc(4);
      size.writeUInt32LE(header.length);
      readOrRefuse(path, Buffer.concat([start, size, header, Buffer.alloc(8)]));
    }),
    { numRuns: RUNS },
  );
});
