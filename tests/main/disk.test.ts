import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diskError, onDisk, renameWhole, writeWhole } from '../../main/disk.ts';
import { openDatabase } from '../../main/store/db.ts';
import { ModelStore } from '../../main/store/models.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { thrownBy } from '../support/errors.ts';
import { temporaryFolder } from '../support/files.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

describe('diskError', () => {
  const failure = (code: string): Error => Object.assign(new Error('it failed'), { code });

  it.each([
    ['ENOSPC', 'disk.full'],
    ['EDQUOT', 'disk.full'],
    ['SQLITE_FULL', 'disk.full'],
    ['SQLITE_IOERR_SHMSIZE', 'disk.full'],
    ['EACCES', 'disk.unwritable'],
    ['EROFS', 'disk.unwritable'],
    ['ENOTDIR', 'disk.unwritable'],
    ['SQLITE_CANTOPEN', 'disk.unwritable'],
    ['SQLITE_BUSY', 'disk.unwritable'],
    ['SQLITE_READONLY_DIRECTORY', 'disk.unwritable'],
    ['SQLITE_IOERR_WRITE', 'disk.unwritable'],
  ])('makes %s %s', (code, expected) => {
    const error = diskError(failure(code), '/place');
    expect(error?.code).toBe(expected);
    expect(error?.detail).toBe('/place: it failed');
  });

  it.each([failure('SQLITE_CORRUPT'), failure('ERR_INVALID_ARG_TYPE'), new Error('ENOSPC'), 'ENOSPC', null])('leaves %s to others', (error) => {
    expect(diskError(error, '/place')).toBeNull();
  });

  it('keeps what has a code already', () => {
    const error = new NamesakeError('run.unknown', 'x');
    expect(diskError(error, '/place')).toBe(error);
  });
});

describe('onDisk', () => {
  it('gives the result, the disk’s error or the error itself', () => {
    const bug = new TypeError('bug');
    expect(onDisk('/p', () => 7)).toBe(7);
    expect(thrownBy(() => onDisk('/p', () => readFileSync(join(temporaryFolder(), 'none')))).code).toBe('disk.unwritable');
    expect(() => onDisk('/p', () => { throw bug; })).toThrow(bug); // prettier-ignore
  });
});

describe('writeWhole', () => {
  it('writes text and bytes, and replaces what was there', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'file');
    writeWhole(path, '小锋');
    expect(readFileSync(path, 'utf8')).toBe('小锋');
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i);
    writeWhole(path, bytes);
    expect(readFileSync(path)).toEqual(Buffer.from(bytes));
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves the old file where it cannot write the new one', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    mkdirSync(`${path}.tmp`);
    expect(thrownBy(() => { writeWhole(path, 'new'); }).code).toBe('disk.unwritable'); // prettier-ignore
    expect(readFileSync(path, 'utf8')).toBe('old');
    // What stood in the way may be the person's.
    expect(readdirSync(folder).sort()).toEqual(['file', 'file.tmp']);
  });

  it('says so where there is no folder', () => {
    const path = join(temporaryFolder(), 'none', 'file');
    expect(thrownBy(() => { writeWhole(path, 'x'); }).code).toBe('disk.unwritable'); // prettier-ignore
  });
});

describe('renameWhole', () => {
  it('puts a finished folder in its place', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'from'));
    writeFileSync(join(folder, 'from', 'from'), '');
    renameWhole(join(folder, 'from'), join(folder, 'to'));
    expect(readdirSync(folder)).toEqual(['to']);
    expect(readdirSync(join(folder, 'to'))).toEqual(['from']);
  });

  it('says so where there is nothing to rename', () => {
    const folder = temporaryFolder();
    expect(thrownBy(() => { renameWhole(join(folder, 'from'), join(folder, 'to')); }).code).toBe('disk.unwritable'); // prettier-ignore
  });
});

describe('a full disk', () => {
  it('is disk.full for a file, and leaves nothing half-written', ({ skip }) => {
    const folder = mountSmallDisk(64);
    if (folder === null) return skip('no tmpfs can be mounted here');
    const path = join(folder, 'file');
    writeWhole(path, 'old');
    expect(thrownBy(() => { writeWhole(path, new Uint8Array(200_000)); }).code).toBe('disk.full'); // prettier-ignore
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('is disk.full for a new database', ({ skip }) => {
    const folder = mountSmallDisk(32);
    if (folder === null) return skip('no tmpfs can be mounted here');
    expect(thrownBy(() => openDatabase(join(folder, 'namesake.db'))).code).toBe('disk.full');
  });

  it('keeps what the database held before', ({ skip }) => {
    const folder = mountSmallDisk(512);
    if (folder === null) return skip('no tmpfs can be mounted here');
    const path = join(folder, 'namesake.db');
    const db = openDatabase(path);
    new ModelStore(db).add({ id: 'm', path: '/m.gguf' });
    let full: unknown;
    try {
      for (let i = 0; i < 1000; i++) new ModelStore(db).add({ id: `m${i}`, path: 'x'.repeat(2000) });
    } catch (error) {
      full = error;
    }
    expect(diskError(full, path)?.code).toBe('disk.full');
    expect(new ModelStore(db).find('m')?.path).toBe('/m.gguf');
    db.close();
    expect(existsSync(path)).toBe(true);
  });
});
