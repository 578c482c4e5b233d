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
    for (const bytes of [report.free_disk_bytes, report.free_memory_bytes]) expect(bytes).toBeGreaterThan(1e6);
    expect(existsSync(home.folder)).toBe(false);
  });

  it.each([
    ['engine.missing', { NAMESAKE_ADDON: '/nowhere/namesake.node' }],
    ['engine.incompatible', { NAMESAKE_ADDON: tinyModel }],
  ])('reports %s and everything else', async (code, environment) => {
    const report = await examine(new Home(temporaryFolder()), engine(environment));
    expect(report).toMatchObject({ engine_error: { code }, addon: null, isa: { auto: null, levels: [] } });
    expect(report.engine_error?.detail).not.toBe('');
    expect(report.free_disk_bytes).toBeGreaterThan(0);
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
