import Database from 'better-sqlite3';
import { execFile } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase, schemaVersion, type Db } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { thrownBy } from '../../support/errors.ts';
import { root, temporaryFolder } from '../../support/files.ts';

function open(path: string): Db {
  const db = openDatabase(path);
  onTestFinished(() => {
    db.close();
  });
  return db;
}

const newPath = (): string => join(temporaryFolder(), 'home', 'namesake.db');

describe('openDatabase', () => {
  it('makes folder, file and schema, and finds them again', () => {
    const path = newPath();
    const first = openDatabase(path);
    new ModelStore(first).add({ id: 'm', path: '/m.gguf' });
    first.close();
    const db = open(path);
    expect(new ModelStore(db).list()).toEqual([{ id: 'm', path: '/m.gguf' }]);
    expect(db.pragma('user_version', { simple: true })).toBe(schemaVersion);
    expect(schemaVersion).toBeGreaterThanOrEqual(1);
  });

  it('writes ahead, through the cache of a Mac’s drive too, and enforces references', () => {
    const db = open(newPath());
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(db.pragma('fullfsync', { simple: true })).toBe(1);
    expect(() => db.prepare('INSERT INTO metrics VALUES (?, 1, 1, 1, 1, 1, 1)').run('nobody')).toThrow(/FOREIGN KEY/);
  });

  it('refuses what a newer version wrote, and leaves it as it is', () => {
    const path = newPath();
    openDatabase(path).close();
    const raw = new Database(path);
    raw.pragma(`user_version = ${schemaVersion + 1}`);
    raw.close();
    const error = thrownBy(() => openDatabase(path));
    expect(error.code).toBe('home.newer');
    expect(error.params).toEqual({ path, found: schemaVersion + 1, known: schemaVersion });
    const after = new Database(path);
    expect(after.pragma('user_version', { simple: true })).toBe(schemaVersion + 1);
    after.close();
  });

  it('undoes a migration that fails half-way', () => {
    const path = newPath();
    openDatabase(path).close();
    const raw = new Database(path);
    // As if an older version had made a table that the first migration is about to make.
    raw.exec('DROP TABLE runs; DROP TABLE metrics; DROP TABLE checkpoints');
    raw.pragma('user_version = 0');
    raw.close();
    expect(thrownBy(() => openDatabase(path)).code).toBe('home.damaged');
    const after = new Database(path);
    expect(after.pragma('user_version', { simple: true })).toBe(0);
    expect(after.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE name IN ('runs', 'metrics')`).get()).toEqual({ n: 0 });
    after.close();
  });

  it.each<[string, (path: string) => void]>([
    ['text in its place', (path) => { writeFileSync(path, 'not a database at all, but long enough to have a header'.repeat(40)); }],
    ['a file cut in half', (path) => { truncateSync(path, Math.floor(readFileSync(path).length / 2)); }],
    ['an overwritten schema', (path) => {
      const handle = openSync(path, 'r+');
      writeSync(handle, Buffer.alloc(3900, 0xaa), 0, 3900, 100);
      closeSync(handle);
    }],
  ])('calls %s damaged', (_, damage) => { // prettier-ignore
    const path = newPath();
    openDatabase(path).close();
    damage(path);
    const error = thrownBy(() => openDatabase(path));
    expect(error.code).toBe('home.damaged');
    expect(error.params['path']).toBe(path);
  });

  it('says so where it cannot write', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    expect(thrownBy(() => openDatabase(join(folder, 'file', 'namesake.db'))).code).toBe('disk.unwritable');
    expect(thrownBy(() => openDatabase(join(folder, 'file', 'deeper', 'namesake.db'))).code).toBe('disk.unwritable');
    expect(existsSync(join(folder, 'file', 'namesake.db'))).toBe(false);
    expect(thrownBy(() => openDatabase(folder)).code).toBe('disk.unwritable');
  });

  it('lets several processes open a new home at once', async () => {
    const folder = temporaryFolder();
    const start = Date.now() + 4000;
    const program = `
      import { createServer } from 'vite';
      const server = await createServer({ root: ${JSON.stringify(root)}, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false, watch: null }, optimizeDeps: { noDiscovery: true } });
      const { openDatabase } = await server.ssrLoadModule('/main/store/db.ts');
      while (Date.now() < ${start}) await new Promise((resolve) => setTimeout(resolve, 1));
      for (let i = 0; i < 20; i++) openDatabase(${JSON.stringify(folder)} + '/' + i + '.db').close();
      await server.close();
    `;
    const run = promisify(execFile);
    await Promise.all(
      Array.from({ length: 4 }, () => run(process.execPath, ['--input-type=module', '-e', program], { cwd: root })),
    );
    for (let i = 0; i < 20; i++) {
      expect(open(join(folder, `${i}.db`)).pragma('user_version', { simple: true })).toBe(schemaVersion);
    }
  }, 120_000);
});
