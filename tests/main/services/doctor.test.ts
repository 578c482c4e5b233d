import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { Home } from '../../../main/home.ts';
import { examine } from '../../../main/services/doctor.ts';
import { temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';

const engine = (environment: Record<string, string> = {}) => () => startEngine({ priority: 'normal', environment });

describe('examine', () => {
  it('says what there is, and writes nothing', async () => {
    const home = new Home(join(temporaryFolder(), 'not', 'there'));
    const report = await examine(home, engine());
    expect(report).toMatchObject({
      node: process.versions.node,
      home: home.folder,
      engine_error: null,
      total_memory_bytes: totalmem(),
      default_model: { id: 'smollm2-135m-instruct', here: false },
    });
    expect(report.default_model.path.startsWith(home.folder)).toBe(true);
    expect(report.addon).toMatch(/namesake\.node$/);
    expect(report.isa.levels.find(({ isa }) => isa === report.isa.auto)).toMatchObject({ supported: true, reason: null });
    expect(report.gpu?.chosen === null).toBe(report.gpu?.problem !== null);
    for (const bytes of [report.free_disk_bytes, report.free_memory_bytes]) expect(bytes).toBeGreaterThan(1e6);
    expect(existsSync(home.folder)).toBe(false);
  });

  it.each([
    ['engine.missing', { NAMESAKE_ADDON: '/nowhere/namesake.node' }],
    ['engine.incompatible', { NAMESAKE_ADDON: tinyModel }],
  ])('reports %s and everything else', async (code, environment) => {
    const report = await examine(new Home(temporaryFolder()), engine(environment));
    expect(report).toMatchObject({ engine_error: { code }, addon: null, isa: { auto: null, levels: [] }, gpu: null });
    expect(report.engine_error?.detail).not.toBe('');
    expect(report.free_disk_bytes).toBeGreaterThan(0);
  });

  it.runIf(process.platform === 'linux')('takes the driver from the system alone: no variable puts another one in its place', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'libcuda.so.1'), 'what would not even open');
    // The second is what the tests' own addon listens to.
    const report = await examine(new Home(temporaryFolder()), engine({ LD_LIBRARY_PATH: folder, NAMESAKE_TEST_DRIVER: join(folder, 'libcuda.so.1') }));
    expect(report.gpu?.problem).toEqual((await examine(new Home(temporaryFolder()), engine())).gpu?.problem);
  });

  it('a driver that brings the engine down is one that does not work', async () => {
    const start = (): ReturnType<typeof startEngine> => {
      const real = startEngine({ priority: 'normal' });
      return { ...real, gpus: () => (process.kill(real.pid ?? 0, 'SIGKILL'), real.gpus()) };
    };
    const report = await examine(new Home(temporaryFolder()), start);
    expect(report).toMatchObject({ engine_error: null, gpu: { driver: null, cards: [], chosen: null, problem: { code: 'gpu.driver_unusable' } } });
    expect(report.gpu?.problem?.detail).toContain('engine.crashed');
  });

  it('works in a home that cannot be written to, and in one whose database is damaged', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'namesake.db'), 'no database');
    chmodSync(folder, 0o500);
    try {
      expect((await examine(new Home(folder), engine())).engine_error).toBeNull();
    } finally {
      chmodSync(folder, 0o700);
    }
    expect(readdirSync(folder)).toEqual(['namesake.db']);
  });
});
