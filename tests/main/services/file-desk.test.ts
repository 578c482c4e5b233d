// Files that go in and out by ids.
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileIdSchema } from '../../../shared/api.ts';
import { FileDesk, plainName } from '../../../main/services/file-desk.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

function desk(): { desk: FileDesk; folder: string; file: string } {
  const folder = temporaryFolder();
  const file = join(folder, 'given.jsonl');
  writeFileSync(file, 'x');
  return { desk: new FileDesk(join(folder, 'uploads')), folder, file };
}

describe('files that come in', () => {
  it('have ids that say nothing, can be taken again, and go when they are dropped', () => {
    const { desk: files, file } = desk();
    const [a, b] = [files.receive(file, 'rows.jsonl', { temporary: false }), files.receive(file, 'rows.jsonl', { temporary: false })];
    expect(a).not.toBe(b);
    for (const id of [a, b]) expect(fileIdSchema.safeParse(id).success).toBe(true);
    expect(files.take(a)).toEqual({ path: file, name: 'rows.jsonl' });
    expect(files.take(a)).toEqual({ path: file, name: 'rows.jsonl' });
    files.drop(a);
    expect(thrownBy(() => files.take(a)).code).toBe('file.unknown');
    expect(files.take(b).path).toBe(file);
    expect(existsSync(file)).toBe(true);
  });

  it('must be files, or folders with a model', () => {
    const { desk: files, folder } = desk();
    const model = join(folder, 'model');
    mkdirSync(model);
    writeFileSync(join(model, 'config.json'), '{}');
    expect(files.take(files.receive(model, 'model', { temporary: false }))).toEqual({ path: model, name: 'model' });
    expect(thrownBy(() => files.receive(model, 'model', { temporary: true })).code).toBe('file.unknown');
    expect(thrownBy(() => files.receive(folder, 'x', { temporary: false })).code).toBe('file.unknown');
    expect(thrownBy(() => files.receive(join(folder, 'none'), 'x', { temporary: false })).code).toBe('file.unknown');
    symlinkSync(join(folder, 'none'), join(folder, 'dangling'));
    expect(thrownBy(() => files.receive(join(folder, 'dangling'), 'x', { temporary: false })).code).toBe('file.unknown');
  });

  it('that are temporary are removed when they are dropped, forgotten or the desk closes', () => {
    const { desk: files, folder } = desk();
    const give = (): { id: string; path: string } => {
      const path = files.temporaryPath();
      writeFileSync(path, 'x');
      return { id: files.receive(path, 'x', { temporary: true }), path };
    };
    const [dropped, oldest] = [give(), give()];
    files.drop(dropped.id);
    expect(existsSync(dropped.path)).toBe(false);
    const rest = Array.from({ length: 100 }, give);
    expect(existsSync(oldest.path)).toBe(false);
    expect(thrownBy(() => files.take(oldest.id)).code).toBe('file.unknown');
    expect(readdirSync(join(folder, 'uploads'))).toHaveLength(100);
    files.close();
    expect(readdirSync(join(folder, 'uploads'))).toEqual([]);
    expect(thrownBy(() => files.take(rest[99]?.id ?? '')).code).toBe('file.unknown');
  });

  it('that a program left behind which died go a day later', () => {
    const { desk: files, folder } = desk();
    const uploads = join(folder, 'uploads');
    mkdirSync(uploads);
    const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
    for (const name of ['old', 'new', 'held']) writeFileSync(join(uploads, name), 'x');
    for (const name of ['old', 'held']) utimesSync(join(uploads, name), yesterday, yesterday);
    // One that is still known is not left behind, however long its person waits.
    files.receive(join(uploads, 'held'), 'rows.jsonl', { temporary: true });
    expect(files.temporaryPath().startsWith(uploads)).toBe(true);
    expect(readdirSync(uploads).sort()).toEqual(['held', 'new']);
  });

  it('where nothing can be written say so', () => {
    const { folder, file } = desk();
    expect(thrownBy(() => new FileDesk(join(file, 'uploads')).temporaryPath()).code).toBe('disk.unwritable');
    expect(readdirSync(folder)).toEqual(['given.jsonl']);
  });
});

it('files that go out are others than those that come in', () => {
  const { desk: files, file } = desk();
  const [given, offered] = [files.receive(file, 'in', { temporary: false }), files.offer(file, 'aus/../out.zip')];
  expect(files.opened(offered)).toEqual({ path: file, name: 'out.zip' });
  expect(thrownBy(() => files.opened(given)).code).toBe('file.unknown');
  expect(thrownBy(() => files.take(offered)).code).toBe('file.unknown');
  for (let i = 0; i < 100; i++) files.offer(file, 'x');
  expect(thrownBy(() => files.opened(offered)).code).toBe('file.unknown');
});

it.each([
  ['rows.jsonl', 'rows.jsonl'],
  ['数据.jsonl', '数据.jsonl'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\me\\rows.jsonl', 'rows.jsonl'],
  ['a\u0000b\r\nc.txt', 'abc.txt'],
  ['\u202Etxt.exe', 'txt.exe'],
  ['a"b<c>.txt', 'abc.txt'],
  ['..', 'file'],
  ['', 'file'],
  ['/', 'file'],
  [`${'x'.repeat(300)}.gguf`, `${'x'.repeat(115)}.gguf`],
  ['\uD800.txt', '\uFFFD.txt'],
])('a name %j is shown as %j', (given, shown) => {
  expect(plainName(given)).toBe(shown);
});
