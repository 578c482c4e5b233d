// The downloader against servers that misbehave: the file is right or absent, and what is there is not fetched again.
import { existsSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { download, DownloadError } from '../../tools/download.mjs';
import { Part } from '../../tools/part.mjs';
import { hostileServer, seeded, type Answer } from '../support/hostile-server.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { noise, scratch, sha256 } from './support.ts';

const data = noise(300_000, 2);
const other = noise(300_000, 3);
const whole = { size: data.length, sha256: sha256(data) };
const patience = { attempts: 3, pauseMs: 1, longestWaitMs: 50, idleMs: 60, headMs: 400 };

interface Options {
  signal?: AbortSignal;
  onBytes?: (bytes: number) => void;
  credentials?: { origin: string; headers: Record<string, string> };
}

/** Downloads into `path` as set-up and the program do. */
async function fetchTo(path: string, url: string, { signal, onBytes = () => undefined, credentials }: Options = {}): Promise<void> {
  const part = await Part.open(path, whole);
  try {
    await download({ url, ...(credentials && { credentials }) }, part, { ...patience, onBytes, ...(signal && { signal }) });
  } finally {
    await part.close();
  }
}

function newPart(): string {
  return join(scratch(), 'part');
}

async function whyNot(path: string, url: string, options: Options = {}): Promise<string> {
  const error: unknown = await fetchTo(path, url, options).then(() => undefined, (thrown: unknown) => thrown);
  if (!(error instanceof DownloadError)) throw new Error(`not a DownloadError: ${String(error)}`);
  return `${error.why}: ${error.message}`;
}

/** Answers in this order, then as a good server. */
function inOrder(...answers: Answer[]): (asked: { count: number }) => Answer {
  return ({ count }) => answers[count - 1] ?? { kind: 'serve' };
}

describe('download', () => {
  it('fetches a file and reports how far it is', async () => {
    const path = newPart();
    const server = await hostileServer(data);
    const seen: number[] = [];
    await fetchTo(path, server.url(), { onBytes: (bytes) => seen.push(bytes) });
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(seen.at(-1)).toBe(data.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(server.served()).toBe(data.length);
  });

  it('goes on from what an earlier process left, and reads it only once', async () => {
    const path = newPart();
    writeFileSync(path, data.subarray(0, 123_456));
    const server = await hostileServer(data);
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests.map(({ range }) => range)).toEqual(['bytes=123456-']);
    expect(server.served()).toBe(data.length - 123_456);
  });

  it('asks nobody for a file that is there', async () => {
    const path = newPart();
    writeFileSync(path, data);
    const server = await hostileServer(data);
    await fetchTo(path, server.url());
    expect(server.requests).toEqual([]);
  });

  it('drops bytes of another file, and bytes beyond its end', async () => {
    for (const [left, note] of [[other.subarray(0, 1000), { sha256: sha256(other) }], [Buffer.concat([data, data]), {}]] as const) {
      const path = newPart();
      writeFileSync(path, left);
      writeFileSync(`${path}.json`, JSON.stringify(note));
      const server = await hostileServer(data);
      await fetchTo(path, server.url());
      expect(readFileSync(path).equals(data)).toBe(true);
      expect(server.requests.map(({ range }) => range)).toEqual([undefined]);
    }
  });

  it('keeps what is there beside a note that was cut off', async () => {
    const path = newPart();
    writeFileSync(path, data.subarray(0, 1000));
    writeFileSync(`${path}.json`, '{"sha25');
    const server = await hostileServer(data);
    await fetchTo(path, server.url());
    expect(server.served()).toBe(data.length - 1000);
  });

  it.each<[string, Answer]>([
    ['a line that is cut', { kind: 'die', after: 100_000 }],
    ['a line that is cut before the first byte', { kind: 'die', after: 0 }],
    ['a server that stalls', { kind: 'stall', after: 100_000 }],
    ['a server that drips', { kind: 'drip' }],
    ['a reply that ends too early', { kind: 'truncate', after: 100_000 }],
    ['a server that does not answer', { kind: 'silent' }],
    ['500', { kind: 'status', status: 500 }],
    ['503', { kind: 'status', status: 503 }],
    ['408', { kind: 'status', status: 408 }],
    ['429 with a time', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['429 without one', { kind: 'status', status: 429 }],
  ])('tries again after %s', async (_what, fault) => {
    const path = newPart();
    const server = await hostileServer(data, inOrder(fault));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests).toHaveLength(2);
    // What arrived before the fault is not fetched again.
    expect(server.served()).toBeLessThanOrEqual(data.length + 8);
  });

  it('waits as long as it is asked to', async () => {
    const soon = new Date(Date.now() + 2000).toUTCString();
    for (const after of ['1', soon]) {
      const server = await hostileServer(data, inOrder({ kind: 'status', status: 429, headers: { 'retry-after': after } }));
      const part = await Part.open(newPart(), whole);
      const start = performance.now();
      await download({ url: server.url() }, part, { ...patience, longestWaitMs: 5000, onBytes: () => undefined });
      await part.close();
      expect(performance.now() - start).toBeGreaterThan(after === '1' ? 990 : 0);
      expect(server.requests).toHaveLength(2);
    }
  });

  it.each<[string, Answer, RegExp]>([
    ['401', { kind: 'status', status: 401 }, /^denied: the server answered 401/],
    ['403', { kind: 'status', status: 403 }, /^denied: the server answered 403/],
    ['404', { kind: 'status', status: 404 }, /^missing: the server answered 404/],
    ['410', { kind: 'status', status: 410 }, /^missing: the server answered 410/],
    ['a smaller file', { kind: 'claim', size: 1000 }, /^wrong: the server's file has 1000 bytes, not 300000/],
    ['a larger file', { kind: 'claim', size: 10 ** 12 }, /^wrong: the server's file has 1000000000000 bytes/],
    ['another file of the same size', { kind: 'serve', file: other, type: 'chunked' }, /^wrong: the file's sha256 is [0-9a-f]{64}, not/],
    ['a compressed reply', { kind: 'gzip' }, /^wrong: the server sends gzip/],
    ['a request to wait for too long', { kind: 'status', status: 429, headers: { 'retry-after': '3600' } }, /^lost: the server answered 429 and asks to wait 3600 s/],
    ['a redirect to nowhere', { kind: 'status', status: 302 }, /^lost: the server redirects to nowhere/],
    ['a redirect in a circle', { kind: 'status', status: 302, headers: { location: '/file.gguf' } }, /^lost: too many redirects/],
    ['a redirect to plain http elsewhere', { kind: 'status', status: 302, headers: { location: 'http://192.0.2.1/f' } }, /^lost: http:\/\/192\.0\.2\.1 is not asked/],
    ['a redirect to a file of this machine', { kind: 'status', status: 302, headers: { location: 'file:///etc/passwd' } }, /^lost: file:.* is not asked/],
  ])('gives up at once on %s', async (_what, answer, message) => {
    const path = newPart();
    const server = await hostileServer(data, () => answer);
    expect(await whyNot(path, server.url())).toMatch(message);
    expect(server.requests.length).toBeLessThanOrEqual(9);
    expect(existsSync(path) ? statSync(path).size : 0).toBe(0);
  });

  it('takes no more than the file has from a server that does not stop', async () => {
    const path = newPart();
    const server = await hostileServer(Buffer.concat([data, data]), () => ({ kind: 'serve', type: 'chunked' }));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
  });

  it('gives up after its attempts and keeps what it has', async () => {
    const path = newPart();
    const server = await hostileServer(data, ({ count }) => ({ kind: 'die', after: count === 1 ? 1000 : 0 }));
    expect(await whyNot(path, server.url())).toMatch(/^lost/);
    expect(server.requests.length).toBeLessThanOrEqual(1 + patience.attempts);
    expect(readFileSync(path).equals(data.subarray(0, 1000))).toBe(true);
  });

  it('does not insist where nobody answers', async () => {
    expect(await whyNot(newPart(), 'http://127.0.0.1:9/f')).toMatch(/^lost: .*ECONNREFUSED/);
  });

  it('passes over what is there where the server sends everything again', async () => {
    const path = newPart();
    const server = await hostileServer(data, ({ count }) => ({ kind: 'ignore-range', ...(count < 3 && { after: count * 100_000 }) }));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests).toHaveLength(3);
  });

  it('starts again when the file behind the address has changed', async () => {
    const path = newPart();
    const server = await hostileServer(data, inOrder({ kind: 'die', after: 100_000, etag: '"old"' }));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests[1]).toMatchObject({ range: 'bytes=100000-', ifRange: '"old"' });
  });

  it('starts again when a server that ignores If-Range has changed the file', async () => {
    const path = newPart();
    const changed = { kind: 'ignore-if-range', file: other, etag: '"new"' } as const;
    const server = await hostileServer(data, inOrder({ kind: 'die', after: 100_000 }, changed));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', undefined]);
  });

  it('finds a change between ranges that the server hides, by the hash', async () => {
    const path = newPart();
    const hidden = { kind: 'ignore-if-range', file: other, etag: '"good"' } as const;
    const server = await hostileServer(data, inOrder({ kind: 'die', after: 100_000 }, hidden));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', undefined]);
    // A server that always mixes does not keep us for ever.
    const mixing = await hostileServer(data, ({ range }) => (range === undefined ? { kind: 'die', after: 100_000 } : hidden));
    const mixed = newPart();
    expect(await whyNot(mixed, mixing.url())).toMatch(/^wrong: the file's sha256/);
    expect(statSync(mixed).size).toBe(0);
  });

  it('refuses another range than it asked for', async () => {
    const path = newPart();
    const server = await hostileServer(data, ({ range }) => (range === undefined ? { kind: 'die', after: 100_000 } : { kind: 'wrong-range', shift: 5 }));
    expect(await whyNot(path, server.url())).toMatch(/^wrong: the server sent another range/);
    expect(readFileSync(path).equals(data.subarray(0, 100_000))).toBe(true);
  });

  it('starts again where the server has no such range', async () => {
    const path = newPart();
    writeFileSync(path, data.subarray(0, 1000));
    const server = await hostileServer(data, inOrder({ kind: 'status', status: 416 }));
    await fetchTo(path, server.url());
    expect(server.requests.map(({ range }) => range)).toEqual(['bytes=1000-', undefined]);
  });

  it('keeps what is there where the server has another, shorter file', async () => {
    const path = newPart();
    writeFileSync(path, data.subarray(0, 200_000));
    const server = await hostileServer(data, () => ({ kind: 'status', status: 416, headers: { 'content-range': 'bytes */150000' } }));
    expect(await whyNot(path, server.url())).toBe('wrong: the server\'s file has 150000 bytes, not 300000');
    expect(readFileSync(path).equals(data.subarray(0, 200_000))).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  it('shows who asks to no other host than the one it is for', async () => {
    const elsewhere = await hostileServer(data);
    const server = await hostileServer(data, ({ path }) => {
      const location = path === '/file.gguf' ? '/again' : elsewhere.url('/cdn');
      return { kind: 'status', status: 302, headers: { location } };
    });
    const credentials = { origin: server.origin, headers: { authorization: 'Bearer secret', cookie: 'm_session_id=secret' } };
    await fetchTo(newPart(), server.url(), { credentials });
    expect(server.requests).toMatchObject([{ authorization: 'Bearer secret' }, { path: '/again', authorization: 'Bearer secret', cookie: 'm_session_id=secret' }]);
    expect(elsewhere.requests).toMatchObject([{ path: '/cdn', authorization: undefined, cookie: undefined }]);
  });

  it('pauses at once and goes on later', async () => {
    const path = newPart();
    const server = await hostileServer(data, inOrder({ kind: 'stall', after: 100_000 }));
    const abort = new AbortController();
    const paused = fetchTo(path, server.url(), { signal: abort.signal, onBytes: (bytes) => bytes === 100_000 && abort.abort() });
    await expect(paused).rejects.toThrow(/aborted/);
    expect(statSync(path).size).toBe(100_000);
    await expect(fetchTo(path, server.url(), { signal: abort.signal })).rejects.toBe(abort.signal.reason);
    await fetchTo(path, server.url());
    expect(server.served()).toBe(data.length);
    expect(readFileSync(path).equals(data)).toBe(true);
  });

  it('says what a full disk lacks, keeps what fitted, and goes on when there is room', async () => {
    const disk = mountSmallDisk(400);
    if (disk === null) return;
    const ballast = join(disk, 'ballast');
    const path = join(disk, 'part');
    const server = await hostileServer(data, inOrder({ kind: 'die', after: 100_000 }));
    writeFileSync(ballast, Buffer.alloc(200_000));
    const full = { code: 'ENOSPC', message: expect.stringMatching(/needs 1 MB of free disk space and has 0 MB/) as string };
    await expect(fetchTo(path, server.url())).rejects.toMatchObject(full);
    expect(server.requests).toEqual([]);
    truncateSync(ballast, 0);
    const filled = fetchTo(path, server.url(), { onBytes: (bytes) => bytes === 100_000 && writeFileSync(ballast, Buffer.alloc(200_000)) });
    await expect(filled).rejects.toMatchObject(full);
    expect(statSync(path).size).toBe(100_000);
    truncateSync(ballast, 0);
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.served()).toBe(data.length);
  });

  it('survives a line that is cut a hundred times without fetching anything twice', async () => {
    const path = newPart();
    const random = seeded(7);
    const server = await hostileServer(data, ({ count }) => (count > 100 ? { kind: 'serve' } : { kind: 'die', after: 1000 + Math.floor(random() * 1900) }));
    await fetchTo(path, server.url());
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(server.requests).toHaveLength(101);
    expect(server.served()).toBe(data.length);
  });

  it.each([11, 12, 13, 14])('ends with the right file or none under any mixture of faults (seed %i)', async (seed) => {
    const random = seeded(seed);
    const upTo = (n: number): number => Math.floor(random() * n);
    const faults: (() => Answer)[] = [
      () => ({ kind: 'die', after: upTo(200_000) }),
      () => ({ kind: 'die', after: upTo(200_000), etag: null }),
      () => ({ kind: 'truncate', after: upTo(300_000) }),
      () => ({ kind: 'ignore-range', after: upTo(300_000) }),
      () => ({ kind: 'ignore-if-range', file: other, etag: random() < 0.5 ? '"good"' : '"new"' }),
      () => ({ kind: 'ignore-range', file: other, etag: '"good"' }),
      () => ({ kind: 'claim', size: upTo(600_000) }),
      () => ({ kind: 'wrong-range', shift: upTo(9) - 4 }),
      () => ({ kind: 'status', status: [401, 404, 416, 429, 500, 503][upTo(6)] ?? 500 }),
      () => ({ kind: 'serve' }),
    ];
    const folder = scratch();
    const path = join(folder, 'part');
    const server = await hostileServer(data, () => faults[upTo(faults.length)]?.() ?? { kind: 'serve' });
    let right = 0;
    for (let i = 0; i < 25; i++) {
      const ended = await fetchTo(path, server.url()).then(() => true, (error: unknown) => {
        expect(error).toBeInstanceOf(DownloadError);
        return false;
      });
      if (!ended) continue;
      expect(readFileSync(path).equals(data)).toBe(true);
      right++;
      truncateSync(path, upTo(300_000));
    }
    expect(right).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => !/^part(\.json)?$/.test(name))).toEqual([]);
  });
});
