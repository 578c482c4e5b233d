import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { NamesakeError } from '../../../shared/errors.ts';
import { startEngine } from '../../../main/engine/client.ts';
import type { HostExit } from '../../../main/engine/host-process.ts';
import { codeOf, endless, openOptions, openTiny, until } from './tiny.ts';

// Each test starts processes, most of them two: seconds on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a host that is killed fails what was under way and what comes after, and nothing else', async () => {
  const engine = await openTiny();
  const exits: HostExit[] = [];
  engine.onExit((exit) => exits.push(exit));
  const started = new Promise<void>((resolve) => engine.onText(() => resolve()));
  const job = engine.generate('doomed', endless).catch((error: unknown) => error);
  await started;
  process.kill(engine.pid ?? 0, 'SIGKILL');
  const error = await job;
  expect(error).toBeInstanceOf(NamesakeError);
  expect(error).toMatchObject({ code: 'engine.crashed' });
  if (process.platform !== 'win32') expect(error).toMatchObject({ detail: 'signal SIGKILL' });
  expect(exits).toHaveLength(1);
  expect(await codeOf(engine.encode('a'))).toBe('engine.crashed');
  await engine.dispose();

  const next = await openTiny();
  expect(await next.encode('a')).toHaveLength(1);
  await next.dispose();
});

test('dispose ends the host and what it was doing', async () => {
  const engine = await openTiny();
  const job = codeOf(engine.generate('unfinished', endless));
  await engine.dispose();
  expect(await job).toBe('engine.crashed');
  expect(alive(engine.pid ?? 0)).toBe(false);
  await engine.dispose();
});

test('the host ends with its parent, in the middle of a job', async () => {
  const file = fileURLToPath(new URL('parent.ts', import.meta.url));
  const parent = spawn(process.execPath, ['--experimental-strip-types', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve, reject) => {
    parent.stdout.setEncoding('utf8').on('data', (text: string) => resolve(Number(text)));
    parent.once('exit', (code) => reject(new Error(`the parent ended with ${code}`)));
  });
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until(() => !alive(pid), 30_000);
});

test('Ctrl-C in a terminal, which reaches the host too, does not end it', async () => {
  const engine = await openTiny();
  process.kill(engine.pid ?? 0, 'SIGINT');
  expect(await engine.encode('a')).toHaveLength(1);
  await engine.dispose();
});

test('the host computes at low priority unless told not to', async () => {
  const low = startEngine();
  const normal = startEngine({ priority: 'normal' });
  await Promise.all([low.close(), normal.close()]);
  expect(getPriority(low.pid)).toBeGreaterThan(getPriority());
  expect(getPriority(normal.pid)).toBe(getPriority());
  await Promise.all([low.dispose(), normal.dispose()]);
});

test('no addon is a reason', async () => {
  const engine = startEngine({ priority: 'normal', environment: { NAMESAKE_ADDON: join(tmpdir(), 'no-such.node') } });
  const error: unknown = await engine.open(openOptions).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'engine.missing', detail: expect.stringContaining('no-such.node') });
  expect(await codeOf(engine.about())).toBe('engine.missing');
  await engine.dispose();
});

test('an addon that cannot be loaded is a reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'namesake-addon-'));
  const file = join(folder, 'broken.node');
  await writeFile(file, 'not a shared library');
  const engine = startEngine({ priority: 'normal', environment: { NAMESAKE_ADDON: file } });
  const error: unknown = await engine.open(openOptions).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'engine.incompatible', detail: expect.stringContaining('broken.node') });
  await engine.dispose();
  await rm(folder, { recursive: true });
});

test('the instruction sets: one is chosen, the others say why not', async () => {
  const engine = startEngine({ priority: 'normal' });
  const { addon, isa } = await engine.about();
  expect(addon).toMatch(/\.node$/);
  const supported = isa.levels.filter((level) => level.supported);
  expect(supported.map((level) => level.isa)).toContain('scalar');
  // The widest is chosen, but for products in bf16, which are slow on Intel's processors.
  expect([supported[0]?.isa, supported.find((level) => level.isa !== 'avx512bf16')?.isa]).toContain(isa.auto);
  const missing = isa.levels.filter((level) => !level.supported);
  expect(missing.length).toBeGreaterThan(0);
  for (const level of missing) {
    expect(level.reason).toMatch(/\w/);
    expect(await codeOf(engine.open({ ...openOptions, isa: level.isa }))).toBe('isa.unsupported');
  }
  await engine.dispose();
});

test('NAMESAKE_ISA forces a level where none is asked for', async () => {
  const engine = startEngine({ priority: 'normal', environment: { NAMESAKE_ISA: 'scalar' } });
  expect(await engine.open(openOptions)).toMatchObject({ isa: 'scalar' });
  await engine.dispose();
  const wrong = startEngine({ priority: 'normal', environment: { NAMESAKE_ISA: 'pentium' } });
  expect(await codeOf(wrong.open(openOptions))).toBe('isa.unsupported');
  await wrong.dispose();
});
