import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { diskError, folderBytes, onDisk, removeWhole, renameWhole, sweepFolder, writeFolder, writeWhole } from '../../main/disk.ts';
import { openDatabase } from '../../main/store/db.ts';
import { ModelStore } from '../../main/store/models.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { thrownBy } from '../support/errors.ts';
import { root, temporaryFolder } from '../support/files.ts';
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

describe('writeFolder', () => {
  const files = (text: string) => [['a', text], ['b', text]] as const;
  const read = (folder: string): string[] => readdirSync(folder).sort().map((name) => readFileSync(join(folder, name), 'utf8'));

  it('makes a folder, and replaces all that is in one', () => {
    const folder = join(temporaryFolder(), 'folder');
    writeFolder(folder, files('1'));
    expect(read(folder)).toEqual(['1', '1']);
    writeFileSync(join(folder, 'stray'), '');
    writeFolder(folder, files('2'));
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
    expect(read(folder)).toEqual(['2', '2']);
    expect(existsSync(`${folder}.tmp`)).toBe(false);
  });

  it('leaves each file old or new, and whole, when it is killed', { timeout: 60_000 }, async () => {
    const folder = join(temporaryFolder(), 'folder');
    // One letter a time, so that a mixture inside a file shows.
    const script = `
      import { writeFolder } from ${JSON.stringify(join(root, 'main/disk.ts'))};
      for (let i = 0; ; i++) {
        const text = String.fromCharCode(97 + (i % 26)).repeat(100_000);
        writeFolder(${JSON.stringify(folder)}, [['a', text], ['b', text]]);
        if (i === 0) process.send?.('ready');
      }`;
    for (let kill = 0; kill < 8; kill++) {
      const child = spawn(process.execPath, ['--experimental-strip-types', '--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
      await once(child, 'message');
      await sleep(3 * kill);
      child.kill('SIGKILL');
      await once(child, 'exit');
      for (const name of ['a', 'b']) {
        const text = readFileSync(join(folder, name), 'utf8');
        expect(text, `kill ${kill}`).toBe((text[0] ?? '?').repeat(100_000));
      }
    }
  });
});

describe('removeWhole and sweepFolder', () => {
  it('remove a folder, and what a kill left of that and of writing', () => {
    const folder = temporaryFolder();
    for (const name of ['whole', 'killed.old', 'written.tmp']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'file'), '');
    }
    writeFileSync(join(folder, 'file.tmp'), '');
    writeFileSync(join(folder, 'kept'), '');
    removeWhole(join(folder, 'whole'));
    removeWhole(join(folder, 'killed'));
    expect(readdirSync(folder).sort()).toEqual(['file.tmp', 'kept', 'written.tmp']);
    sweepFolder(folder);
    expect(readdirSync(folder)).toEqual(['kept']);
    sweepFolder(join(folder, 'none'));
    removeWhole(join(folder, 'none'));
  });
});

describe('folderBytes', () => {
  it('counts files at any depth', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'x'), Buffer.alloc(10));
    writeFileSync(join(folder, 'a', 'b', 'y'), Buffer.alloc(200));
    expect(folderBytes(folder)).toBe(210);
    expect(folderBytes(join(folder, 'none'))).toBe(0);
  });

  it('counts what is there while another process makes and removes folders', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'x'), Buffer.alloc(10));
    const script = `
      import { mkdirSync, renameSync, rmSync } from 'node:fs';
      for (let i = 0; ; i++) {
        mkdirSync('a.tmp/b/c', { recursive: true });
        renameSync('a.tmp', 'a' + (i % 20));
        rmSync('a' + (i % 20), { recursive: true });
      }`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, stdio: 'ignore' });
    const end = once(other, 'close');
    await once(other, 'spawn');
    try {
      for (const until = Date.now() + 1500; Date.now() < until; ) expect(folderBytes(folder)).toBe(10);
      expect(other.exitCode).toBeNull();
    } finally {
      other.kill('SIGKILL');
      await end;
    }
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
