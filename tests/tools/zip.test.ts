import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { extractMember } from '../../tools/zip.mjs';
import { noise, scratch, zip } from './support.ts';

const text = Buffer.from('小锋 '.repeat(10_000));
const random = noise(100_000, 1);
const archive = zip([
  { name: 'a/text', data: text, deflate: true },
  { name: 'a/random', data: random },
  { name: '名字', data: text, deflate: true },
]);

async function extract(bytes: Buffer, name: string): Promise<Buffer> {
  const folder = scratch();
  writeFileSync(join(folder, 'zip'), bytes);
  await extractMember(join(folder, 'zip'), name, join(folder, 'out'));
  return readFileSync(join(folder, 'out'));
}

describe('extractMember', () => {
  it('gives stored and deflated members', async () => {
    expect((await extract(archive, 'a/text')).equals(text)).toBe(true);
    expect((await extract(archive, 'a/random')).equals(random)).toBe(true);
    expect((await extract(archive, '名字')).equals(text)).toBe(true);
  });

  it('finds the directory before a comment', async () => {
    const commented = Buffer.concat([archive, Buffer.from('a comment')]);
    commented.writeUInt16LE(9, archive.length - 2);
    expect((await extract(commented, 'a/random')).equals(random)).toBe(true);
  });

  it.each([
    ['a member that is not there', archive, 'a', /no member a/],
    ['a cut archive', archive.subarray(0, archive.length - 30), 'a/text', /end-of-directory/],
    ['an empty file', Buffer.alloc(0), 'a/text', /end-of-directory/],
  ])('refuses %s', async (_what, bytes, name, message) => {
    await expect(extract(bytes, name)).rejects.toThrow(message);
  });

  const directory = archive.indexOf('PK\x01\x02', 0, 'latin1');
  it.each([
    ['deflated bytes', 'a/text', 100],
    ['stored bytes', 'a/random', 40_000],
    ['a checksum', 'a/text', directory + 16],
    ['a size', 'a/text', directory + 24],
    ['a position', 'a/text', directory + 42],
    ['the compression', 'a/text', directory + 10],
  ])('refuses a flipped bit in %s', async (_what, name, position) => {
    const bad = Buffer.from(archive);
    bad.writeUInt8(bad.readUInt8(position) ^ 0x10, position);
    await expect(extract(bad, name)).rejects.toThrow();
  });
});
