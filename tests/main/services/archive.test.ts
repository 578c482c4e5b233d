import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeArchive } from '../../../main/services/archive.ts';
import { rejectedBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';
import { readZip } from '../../support/zip.ts';

function files(contents: Record<string, Buffer | string>): { folder: string; entries: { name: string; path: string }[] } {
  const folder = temporaryFolder();
  const entries = Object.entries(contents).map(([name, content], i) => {
    const path = join(folder, `file-${i}`);
    writeFileSync(path, content);
    return { name: `export/${name}`, path };
  });
  return { folder, entries };
}

describe('writeArchive', () => {
  it('writes what another program reads back, the same bytes each time', async () => {
    const contents = { 'adapter_model.safetensors': randomBytes(300_000), 'adapter_config.json': '{}', 'README.md': 'x'.repeat(50_000), empty: '' };
    const { folder, entries } = files(contents);
    const path = join(folder, 'new', 'export.zip');
    await writeArchive(path, entries);
    const read = await readZip(path);
    expect(read.map(([name]) => name)).toEqual(Object.keys(contents).map((name) => `export/${name}`));
    for (const [i, content] of Object.values(contents).entries()) expect(read[i]?.[1].equals(Buffer.from(content))).toBe(true);
    const first = readFileSync(path);
    await writeArchive(path, entries);
    expect(readFileSync(path).equals(first)).toBe(true);
    // Words get smaller, weights are left as they are.
    expect(first.length).toBeLessThan(310_000);
    expect(readdirSync(join(folder, 'new'))).toEqual(['export.zip']);
  });

  it.each(['../out', '/etc/passwd', 'a/../b', 'a\\b', '', '.hidden', 'a//b', 'C:x'])('refuses the name %j', async (name) => {
    const { folder, entries } = files({ a: 'a' });
    expect((await rejectedBy(writeArchive(join(folder, 'e.zip'), [{ ...entries[0], name, path: entries[0]?.path ?? '' }]))).code).toBe('internal');
    expect(existsSync(join(folder, 'e.zip'))).toBe(false);
  });

  it('leaves nothing where a file is missing', async () => {
    const { folder, entries } = files({ a: 'a' });
    const path = join(folder, 'e.zip');
    expect((await rejectedBy(writeArchive(path, [...entries, { name: 'b', path: join(folder, 'none') }]))).code).toBe('disk.unwritable');
    expect(readdirSync(folder)).toEqual(['file-0']);
  });

  it('leaves nothing on a full disk', async ({ skip }) => {
    const disk = mountSmallDisk(200);
    if (disk === null) return skip('no tmpfs can be mounted here');
    const { entries } = files({ 'a.safetensors': randomBytes(400_000) });
    expect((await rejectedBy(writeArchive(join(disk, 'e.zip'), entries))).code).toBe('disk.full');
    expect(readdirSync(disk)).toEqual([]);
  });
});
