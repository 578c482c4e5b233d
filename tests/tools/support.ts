// What the tests of tools/ share: a zip writer, a file server with faults, and child processes.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

export const root = join(import.meta.dirname, '..', '..');

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A folder that goes when the test ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'namesake-tools-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes that neither repeat nor compress, the same for the same seed. */
export function noise(length: number, seed: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) blocks.push(createHash('sha256').update(`${seed}:${i}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** A zip of the given members, each stored or deflated. */
export function zip(members: { name: string; data: Buffer; deflate?: boolean }[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, deflate = false } of members) {
    const packed = deflate ? deflateRawSync(data) : data;
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02', 'latin1'), Buffer.from([20, 3]), common, tail, nameBytes);
    parts.push(local);
    offset += local.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listing, end]);
}

/** A wheel that pip accepts, `name-1.0`, in `folder`; returns its sha256. */
export function writeWheel(folder: string, name: string, member: string, data: Buffer): string {
  const info = `${name}-1.0.dist-info`;
  const wheel = zip([
    { name: member, data, deflate: true },
    { name: `${info}/METADATA`, data: Buffer.from(`Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`) },
    { name: `${info}/WHEEL`, data: Buffer.from('Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n') },
    { name: `${info}/RECORD`, data: Buffer.from('') },
  ]);
  writeFileSync(join(folder, `${name}-1.0-py3-none-any.whl`), wheel);
  return sha256(wheel);
}

export interface FileServer {
  url: (path: string) => string;
  /** Each request's path and Range header, in order. */
  requests: { path: string; range: string | undefined }[];
}

/**
 * Serves `data` at any path, ranges included. `fault` may answer a request itself (and returns true then).
 */
export async function serve(
  data: Buffer,
  fault?: (request: http.IncomingMessage, response: http.ServerResponse, count: number) => boolean,
  etag = '"one"',
): Promise<FileServer> {
  const requests: FileServer['requests'] = [];
  const server = http.createServer((request, response) => {
    requests.push({ path: request.url ?? '', range: request.headers.range });
    if (fault?.(request, response, requests.length) === true) return;
    const wanted = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const from = wanted ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    response.setHeader('etag', etag);
    if (from > 0) response.setHeader('content-range', `bytes ${from}-${data.length - 1}/${data.length}`);
    response.writeHead(from > 0 ? 206 : 200).end(data.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: (path) => `http://127.0.0.1:${port}${path}`, requests };
}

export interface Finished {
  code: number | null;
  stderr: string;
}

/** Starts Node with `args`; `end` resolves with its exit code and stderr. */
export function startNode(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const child = spawn(process.execPath, args, {
    ...options,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const end = new Promise<Finished>((resolve) => child.on('close', (code) => resolve({ code, stderr })));
  return { child, end };
}
