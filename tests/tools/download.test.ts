import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { download } from '../../tools/download.mjs';
import { noise, scratch, serve } from './support.ts';

const data = noise(300_000, 2);

function fetchTo(part: string, url: string, attempts = 3) {
  const seen: number[] = [];
  const done = download(url, part, data.length, { onBytes: (bytes) => seen.push(bytes), attempts, pauseMs: 1 });
  return done.then(() => seen);
}

describe('download', () => {
  it('fetches a file and reports how far it is', async () => {
    const folder = scratch();
    const server = await serve(data);
    const seen = await fetchTo(join(folder, 'part'), server.url('/f'));
    expect(readFileSync(join(folder, 'part')).equals(data)).toBe(true);
    expect(readdirSync(folder)).toEqual(['part']);
    expect(seen.at(-1)).toBe(data.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('goes on with a range after a lost connection', async () => {
    const part = join(scratch(), 'part');
    const server = await serve(data, (_request, response, count) => {
      if (count > 1) return false;
      response.writeHead(200, { etag: '"one"', 'content-length': data.length });
      response.write(data.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
      return true;
    });
    await fetchTo(part, server.url('/f'));
    expect(readFileSync(part).equals(data)).toBe(true);
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-']);
  });

  it('goes on from what an earlier process left', async () => {
    const part = join(scratch(), 'part');
    writeFileSync(part, data.subarray(0, 123_456));
    const server = await serve(data);
    await fetchTo(part, server.url('/f'));
    expect(readFileSync(part).equals(data)).toBe(true);
    expect(server.requests.map(({ range }) => range)).toEqual(['bytes=123456-']);
  });

  it('starts again when the file behind the address has changed', async () => {
    const part = join(scratch(), 'part');
    writeFileSync(part, noise(1000, 3));
    writeFileSync(`${part}.etag`, '"zero"');
    await fetchTo(part, (await serve(data)).url('/f'));
    expect(readFileSync(part).equals(data)).toBe(true);
  });

  it('follows redirects and tries server errors again', async () => {
    const part = join(scratch(), 'part');
    const server = await serve(data, (request, response, count) => {
      if (request.url === '/from') response.writeHead(302, { location: '/to' }).end();
      else if (count < 4) response.writeHead(503).end();
      else return false;
      return true;
    });
    await fetchTo(part, server.url('/from'));
    expect(readFileSync(part).equals(data)).toBe(true);
  });

  it.each([
    ['a file that is not there', 404, /answered 404/],
    ['an endless redirect', 302, /redirects/],
  ])('gives up at once on %s', async (_what, status, message) => {
    const part = join(scratch(), 'part');
    const server = await serve(data, (_request, response) => {
      response.writeHead(status, { location: '/f' }).end();
      return true;
    });
    await expect(fetchTo(part, server.url('/f'))).rejects.toThrow(message);
    expect(existsSync(part)).toBe(false);
  });

  it('gives up after its attempts and keeps what it has', async () => {
    const part = join(scratch(), 'part');
    const server = await serve(data, (_request, response) => {
      response.writeHead(200, { 'content-length': data.length });
      response.write(data.subarray(0, 1000), () => setTimeout(() => response.destroy(), 30));
      return true;
    });
    await expect(fetchTo(part, server.url('/f'), 2)).rejects.toThrow();
    expect(server.requests).toHaveLength(2);
    expect(readFileSync(part).equals(data.subarray(0, 1000))).toBe(true);
  });

  it('never writes more than the file has', async () => {
    const part = join(scratch(), 'part');
    const server = await serve(Buffer.concat([data, data]));
    await expect(fetchTo(part, server.url('/f'))).rejects.toThrow(/more than the expected/);
    expect(existsSync(part)).toBe(false);
  });

  it('does not leave https for another machine', async () => {
    await expect(fetchTo(join(scratch(), 'part'), 'http://192.0.2.1/f')).rejects.toThrow(/not fetched/);
  });
});
