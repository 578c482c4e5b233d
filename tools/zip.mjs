// @ts-check
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;

/**
 * Reads `length` bytes at `position`, or throws if the file ends before.
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} position
 * @param {number} length
 */
async function readAt(file, position, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Error('zip: the file ends too early');
  return buffer;
}

/**
 * Where member `name` of the zip `path` lies. Zip64 and encryption are refused.
 * @param {string} path
 * @param {string} name
 */
async function findMember(path, name) {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    // The end record is 22 bytes plus a comment of at most 65,535.
    const tailStart = Math.max(0, size - 22 - 0xffff);
    const tail = await readAt(file, tailStart, size - tailStart);
    let end = tail.length - 22;
    while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end--;
    if (end < 0) throw new Error('zip: no end-of-directory record');
    const count = tail.readUInt16LE(end + 10);
    const directory = await readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    for (let i = 0, at = 0; i < count; i++) {
      if (at + 46 > directory.length || directory.readUInt32LE(at) !== DIRECTORY_ENTRY) {
        throw new Error('zip: a broken directory entry');
      }
      const nameLength = directory.readUInt16LE(at + 28);
      if (directory.toString('utf8', at + 46, at + 46 + nameLength) === name) {
        const entry = {
          encrypted: (directory.readUInt16LE(at + 8) & 1) !== 0,
          method: directory.readUInt16LE(at + 10),
          crc: directory.readUInt32LE(at + 16),
          packed: directory.readUInt32LE(at + 20),
          size: directory.readUInt32LE(at + 24),
          header: directory.readUInt32LE(at + 42),
        };
        if (entry.encrypted || entry.packed === 0xffffffff || entry.size === 0xffffffff) {
          throw new Error('zip: encrypted or zip64 members are not supported');
        }
        const local = await readAt(file, entry.header, 30);
        if (local.readUInt32LE(0) !== LOCAL_HEADER) throw new Error('zip: a broken local header');
        const start = entry.header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
        return { ...entry, start };
      }
      at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    throw new Error(`zip: no member ${name}`);
  } finally {
    await file.close();
  }
}

/**
 * Writes member `name` (stored or deflated) of the zip `path` to `target`, checking its size and CRC.
 * @param {string} path
 * @param {string} name
 * @param {string} target
 * @returns {Promise<void>}
 */
export async function extractMember(path, name, target) {
  const member = await findMember(path, name);
  if (member.method !== 0 && member.method !== 8) throw new Error(`zip: method ${member.method} is not supported`);
  let crc = 0;
  let size = 0;
  const check = new Transform({
    transform(chunk, _encoding, done) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      done(size > member.size ? new Error('zip: the member is larger than its entry says') : null, chunk);
    },
  });
  const source = createReadStream(path, { start: member.start, end: member.start + member.packed - 1 });
  const sink = createWriteStream(target);
  if (member.method === 0) await pipeline(source, check, sink);
  else await pipeline(source, createInflateRaw(), check, sink);
  if (size !== member.size || crc !== member.crc) throw new Error('zip: the member does not match its checksum');
}
