// The core: services on demand.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createCore, type Core } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { threadsBesideWindows } from '../../main/processors.ts';
import { thrownBy } from '../support/errors.ts';
import { isAlive } from '../support/processes.ts';
import { temporaryFolder } from '../support/files.ts';

function core(folder = join(temporaryFolder(), 'home'), options = {}): Core {
  const made = createCore(new Home(folder), options);
  onTestFinished(() => made.close());
  return made;
}

it('touches nothing before it is asked', () => {
  const made = core();
  expect([made.files, made.log, made.compute]).toBeDefined();
  expect(existsSync(made.home.folder)).toBe(false);
  expect(made.runs.list()).toEqual([]);
  expect(readdirSync(made.home.folder)).toContain('namesake.db');
});

it('makes each service once, and new ones after it was closed', () => {
  const made = core();
  const { runs, settings } = made;
  expect([made.runs, made.settings]).toEqual([runs, settings]);
  settings.set({ theme: 'dark' });
  made.close();
  expect(made.settings).not.toBe(settings);
  expect(made.settings.get().theme).toBe('dark');
});

it('says what is wrong with a home that cannot be', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  const made = core(join(file, 'home'));
  expect(thrownBy(() => made.runs).code).toBe('disk.unwritable');
  expect(made.compute).toBeDefined();
});

it('gives all cores to the command line, and the threads of the settings, or one fewer than there are, to windows', () => {
  expect(core().compute).toMatchObject({ threads: 0 });
  const made = core();
  made.useWindows();
  expect(made.compute.threads).toBe(threadsBesideWindows());
  made.settings.set({ threads: 3 });
  expect(made.compute.threads).toBe(3);
  const told = core(undefined, { compute: { threads: 2, isa: 'scalar' } });
  told.useWindows();
  told.settings.set({ threads: 3 });
  expect(told.compute).toEqual({ threads: 2, isa: 'scalar', cache: told.home.quantized });
});

it('ends engines that still run when it is closed', async () => {
  const made = core();
  const engine = made.startEngine();
  await engine.about();
  const gone = new Promise<void>((resolve) => engine.onExit(() => resolve()));
  made.close();
  await gone;
  expect(isAlive(engine.pid ?? 0)).toBe(false);
});
