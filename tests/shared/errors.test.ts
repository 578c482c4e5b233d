import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCodes, isErrorCode, NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import { root } from '../support/files.ts';

describe('error codes', () => {
  it('hold every code that the engine raises', () => {
    const header = readFileSync(join(root, 'native/include/namesake/status.h'), 'utf8');
    const list = /#define NAMESAKE_ERROR_CODES\(X\)([^]*?)\n\n/.exec(header)?.[1] ?? '';
    const codes = [...list.matchAll(/X\((\w+), "([^"]+)"\)/g)].map(([, name, wire]) => ({ name: name ?? '', wire: wire ?? '' }));
    expect(codes.length).toBeGreaterThan(15);
    expect(codes.length).toBe(list.match(/X\(/g)?.length);
    expect(codes.filter(({ wire }) => !isErrorCode(wire))).toEqual([]);
    for (const { name, wire } of codes) expect(name).toBe(wire.replaceAll('.', '_'));
  });

  it('are told apart', () => {
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
    for (const code of errorCodes) expect(code).toMatch(/^[a-z]+(\.[a-z_]+)?$/);
    expect(isErrorCode('disk.full')).toBe(true);
    for (const value of ['disk', 'toString', '', 7, null, undefined]) expect(isErrorCode(value)).toBe(false);
  });
});

describe('toNamesakeError', () => {
  it('keeps what has a code, and says what was thrown otherwise', () => {
    const error = new NamesakeError('disk.full', 'no space', { path: '/x' });
    expect(toNamesakeError(error)).toBe(error);
    expect(error.message).toBe('disk.full: no space');
    expect(toNamesakeError(new TypeError('oops'))).toMatchObject({ code: 'internal', detail: expect.stringContaining('oops') as unknown });
    expect(toNamesakeError('text')).toMatchObject({ code: 'internal', detail: 'text' });
  });
});
