import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Home } from '../../main/home.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('Home', () => {
  it('is the folder given, else NAMESAKE_HOME, else ~/.namesake', () => {
    vi.stubEnv('NAMESAKE_HOME', '/env/home');
    expect(new Home('/given').folder).toBe('/given');
    expect(new Home().folder).toBe('/env/home');
    vi.stubEnv('NAMESAKE_HOME', '');
    expect(new Home().folder).toBe(join(homedir(), '.namesake'));
  });

  it('is absolute, so that paths in messages are', () => {
    expect(new Home('rel').folder).toBe(resolve('rel'));
    vi.stubEnv('NAMESAKE_HOME', 'rel2');
    expect(new Home().folder).toBe(resolve('rel2'));
  });

  it('holds everything below itself', () => {
    const home = new Home('/h');
    const run = home.run('abc');
    const paths = [home.database, home.trainerLock, home.runs, run.folder, run.recipe, run.rows, run.tokens, run.provenance, run.adapter, run.checkpoints, run.checkpoint(7)];
    for (const path of paths) {
      expect(isAbsolute(path)).toBe(true);
      expect(path.startsWith('/h/')).toBe(true);
    }
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('names files as the contract does', () => {
    const run = new Home('/h').run('abc');
    expect(run.recipe).toBe('/h/runs/abc/recipe.json');
    expect(run.checkpoint(40)).toBe('/h/runs/abc/checkpoints/step-000040');
    expect(run.checkpoint(1_234_567)).toBe('/h/runs/abc/checkpoints/step-1234567');
    expect(new Home('/h').database).toBe('/h/namesake.db');
  });
});
