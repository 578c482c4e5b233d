// Models of hubs by REF: which file is meant, what the hub states of it, how it is fetched and known again.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseHubRef } from '../../../main/services/hub.ts';
import type { DownloadState } from '../../../shared/model.ts';
import type { Hub } from '../../../tools/hubs.mjs';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { COMMIT, hubServer } from '../../support/hub-server.ts';
import { bytes, huggingFace, modelScope, q8, serviceOf, sha256 } from '../../support/model-service.ts';

describe('REFs to hubs', () => {
  it.each([
    ['hf:owner/name', 'huggingface', 'owner/name', null, null],
    ['hf:Owner-1/na.me_2@v1.0', 'huggingface', 'Owner-1/na.me_2', 'v1.0', null],
    ['hf:o/n@refs/pr/1#a/b-Q8_0.gguf', 'huggingface', 'o/n', 'refs/pr/1', 'a/b-Q8_0.gguf'],
    ['modelscope:o/n#x.gguf', 'modelscope', 'o/n', null, 'x.gguf'],
  ])('%s', (text, kind, repo, revision, file) => {
    expect(parseHubRef(text)).toEqual({ kind, repo, revision, file, text });
  });

  it.each(['hf:', 'hf:owner', 'hf:/name', 'hf:owner/name/more', 'hf:../../etc', 'hf:a/..', 'hf:o/n@', 'hf:o/n@../x', 'hf:o/n#../x.gguf', 'hf:o/n#x.bin', 'hf:o/n?x', `hf:o/${'n'.repeat(200)}`, 'hf:o/n\0', 'modelscope:http://x/y'])(
    'refuses %j',
    (text) => {
      expect(thrownBy(() => parseHubRef(text))).toMatchObject({ code: 'model.source_unsupported', params: { ref: text } });
    },
  );

  it('leaves everything else alone', () => {
    for (const text of ['smollm2-135m-instruct', './hf.gguf', 'C:\\hf.gguf', 'hfx:o/n']) expect(parseHubRef(text)).toBeNull();
  });
});

describe('models of hubs', () => {
  it('fetches the one usable file, checked against what the hub states, and needs no hub afterwards', async () => {
    const server = await hubServer({ 'o/n': { files: { 'n-Q3_K_M.gguf': bytes('k'), 'n-Q8_0.gguf': q8, 'mmproj-n-f16.gguf': bytes('m'), 'n-f16-00001-of-00002.gguf': bytes('s') } } });
    const folder = temporaryFolder();
    const { service } = serviceOf(folder, [huggingFace(server)]);
    const model = await service.locate('hf:o/n');
    expect(model).toMatchObject({ id: 'hf:o/n', sha256: sha256(q8) });
    expect(readFileSync(model.path).equals(q8)).toBe(true);
    expect(model.path.startsWith(join(folder, 'models', 'hf--o--n--'))).toBe(true);
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/models/o/n/revision/main?blobs=true',
      `/o/n/resolve/${COMMIT}/n-Q8_0.gguf`,
      '/cdn/o/n/n-Q8_0.gguf',
    ]);
    const later = serviceOf(folder, []);
    expect(await later.service.locate('hf:o/n')).toEqual(model);
    expect((await later.service.list()).find(({ id }) => id === 'hf:o/n')).toMatchObject({
      ...{ name: 'n-Q8_0.gguf', here: true, licence: 'Apache-2.0', licence_url: 'https://huggingface.co/o/n', purpose: 'own', size_bytes: q8.length },
      download: null,
    });
  });

  it.each<[string, Record<string, Buffer>, string, string]>([
    ['several usable files', { 'a-Q8_0.gguf': q8, 'a-Q4_1.gguf': q8, 'a-Q3_K_M.gguf': q8 }, 'hf:o/n', 'model.ambiguous'],
    ['only formats that are not read', { 'a-Q3_K_M.gguf': q8, 'a-IQ2_XS.gguf': q8, 'a-Q4_K_XL.gguf': q8 }, 'hf:o/n', 'model.source_unsupported'],
    ['no such file', { 'a-Q8_0.gguf': q8 }, 'hf:o/n#b-Q8_0.gguf', 'model.source_unsupported'],
    ['a chosen format that is not read', { 'a-Q8_0.gguf': q8, 'a-Q2_K.gguf': q8 }, 'hf:o/n#a-Q2_K.gguf', 'model.source_unsupported'],
    ['no model at all', { 'notes.txt': q8 }, 'hf:o/n', 'model.source_unsupported'],
    ['a name that no file system takes', { [`${'n'.repeat(300)}-Q8_0.gguf`]: q8 }, 'hf:o/n', 'model.source_unsupported'],
    ['a name that leads elsewhere', { '../../../evil-Q8_0.gguf': q8 }, 'hf:o/n', 'model.source_unsupported'],
    ['no such repository', {}, 'hf:o/other', 'model.unknown'],
  ])('%s: %s', async (_what, files, ref, code) => {
    const server = await hubServer({ 'o/n': { files } });
    const folder = temporaryFolder();
    const { service } = serviceOf(folder, [huggingFace(server)]);
    await expect(service.locate(ref)).rejects.toMatchObject({ code });
    expect(existsSync(join(folder, 'models'))).toBe(false);
    if (code === 'model.ambiguous') await expect(service.locate(ref)).rejects.toMatchObject({ params: { ref, files: 'a-Q4_1.gguf, a-Q8_0.gguf' } });
  });

  it.each(['f32', 'BF16', 'fp16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q4_K_S', 'q4_k_m', 'Q5_K_M', 'Q6_K'])('fetches %s', async (format) => {
    const server = await hubServer({ 'o/n': { files: { [`n-${format}.gguf`]: q8 } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    expect((await service.locate('hf:o/n')).sha256).toBe(sha256(q8));
  });

  it('says before anything is fetched that a kind of model is not supported', async () => {
    const files = { 'n-Q8_0.gguf': q8 };
    const server = await hubServer({ 'o/gemma': { files, architecture: 'gemma2' }, 'o/llama': { files, architecture: 'llama' } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/gemma')).rejects.toMatchObject({ code: 'model.unknown_architecture', detail: expect.stringContaining('gemma2') as string });
    expect(server.fetched()).toEqual([]);
    await service.locate('hf:o/llama');
  });

  it.each(['garbage', 'other-json', 'endless'])('is not led astray by a hub that is none (%s)', async (name) => {
    const server = await hubServer({});
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate(`hf:o/${name}`)).rejects.toMatchObject({ code: 'download.failed' });
    const modelscope = serviceOf(temporaryFolder(), [{ kind: 'modelscope', base: server.base, token: null }]).service;
    await expect(modelscope.locate(`modelscope:o/${name}`)).rejects.toMatchObject({ code: 'download.failed' });
  });

  it('takes the file that a REF chooses, and one whose name says nothing where it is the only one', async () => {
    const server = await hubServer({
      'o/n': { files: { 'x/a-Q8_0.gguf': q8, 'x/a-f16.gguf': bytes('f16') } },
      'o/plain': { files: { 'model.gguf': bytes('plain') } },
    });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    expect((await service.locate('hf:o/n#x/a-f16.gguf')).sha256).toBe(sha256(bytes('f16')));
    expect((await service.locate('hf:o/n@v1#a-Q8_0.gguf')).sha256).toBe(sha256(q8));
    expect(server.requests.map(({ path }) => path)).toContain('/api/models/o/n/revision/v1?blobs=true');
    expect((await service.locate('hf:o/plain')).sha256).toBe(sha256(bytes('plain')));
  });

  it('shows a token to the hub that it is for, and to nobody else', async () => {
    const files = { 'n-Q8_0.gguf': q8 };
    const mirror = await hubServer({});
    const server = await hubServer({ 'o/gated': { files, token: 'hf_secret' } });
    const { service, lines } = serviceOf(temporaryFolder(), [huggingFace(mirror), huggingFace(server, 'hf_secret')]);
    await service.locate('hf:o/gated');
    expect(mirror.requests.length).toBeGreaterThan(0);
    for (const { authorization } of mirror.requests) expect(authorization).toBeUndefined();
    expect(server.requests.filter(({ path }) => !path.startsWith('/cdn')).map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret', 'Bearer hf_secret']);
    expect(server.fetched()).toMatchObject([{ host: expect.stringMatching(/^localhost/) as string, authorization: undefined }]);
    expect(lines.join('\n')).not.toContain('secret');
  });

  it('asks for a token where one is missing', async () => {
    const server = await hubServer({ 'o/gated': { files: { 'n-Q8_0.gguf': q8 }, token: 'hf_secret' } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/gated')).rejects.toMatchObject({ code: 'download.denied', params: { host: new URL(server.base).host } });
  });

  it('goes on to the next hub, for the list of files and for the file', async () => {
    const files = { 'n-Q8_0.gguf': q8 };
    const good = await hubServer({ 'o/n': { files } });
    const listing = await hubServer({ 'o/n': { files, stated: {} } });
    const dead: Hub = { kind: 'huggingface', base: 'http://127.0.0.1:9', token: null };
    const modelscope: Hub = { kind: 'modelscope', base: 'http://127.0.0.1:9', token: null };
    const { service } = serviceOf(temporaryFolder(), [dead, modelscope, huggingFace(listing), huggingFace(good)]);
    expect((await service.locate('hf:o/n')).sha256).toBe(sha256(q8));
    expect(good.requests).toEqual([]);
    await expect(serviceOf(temporaryFolder(), [dead]).service.locate('hf:o/n')).rejects.toMatchObject({ code: 'download.failed' });
    await expect(serviceOf(temporaryFolder(), [modelscope]).service.locate('hf:o/n')).rejects.toMatchObject({ code: 'download.failed' });
  });

  it('refuses a file whose checksum the hub does not state, and one that is not what it states', async () => {
    const files = { 'n-Q8_0.gguf': q8 };
    const server = await hubServer({
      'o/silent': { files, stated: { 'n-Q8_0.gguf': { sha256: null } } },
      'o/liar': { files, stated: { 'n-Q8_0.gguf': { sha256: 'a'.repeat(64) } } },
      'o/size': { files, stated: { 'n-Q8_0.gguf': { size: 49_999 } } },
    });
    const folder = temporaryFolder();
    const { service } = serviceOf(folder, [huggingFace(server)]);
    await expect(service.locate('hf:o/silent')).rejects.toMatchObject({ code: 'model.source_unsupported' });
    await expect(service.locate('hf:o/liar')).rejects.toMatchObject({ code: 'model.checksum_mismatch' });
    await expect(service.locate('hf:o/size')).rejects.toMatchObject({ code: 'model.checksum_mismatch' });
    expect(readdirSync(join(folder, 'models'), { recursive: true, encoding: 'utf8' }).filter((name) => /gguf/.test(name))).toEqual([]);
  });

  it('refuses what no hub would say, and keeps nothing of it', async () => {
    const server = await hubServer({ 'o/n': { files: { 'n-Q8_0.gguf': q8 }, commit: '' } });
    const { service, store } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/n')).rejects.toMatchObject({ code: 'model.source_unsupported' });
    expect(store.hubModels()).toEqual([]);
    expect((await service.list()).length).toBeGreaterThan(0);
  });

  it('follows a branch that moved on since the hub stated the file, and leaves nothing of the old one', async () => {
    const files = { 'n-q8_0.gguf': bytes('old') };
    const repository = { files, cut: (): number | null => 10_000, licence: 'mit' };
    const server = await hubServer({ 'o/n': repository });
    const folder = temporaryFolder();
    const { service, store } = serviceOf(folder, [modelScope(server)]);
    await expect(service.locate('modelscope:o/n')).rejects.toMatchObject({ code: 'download.failed' });
    const old = store.hubModel('modelscope:o/n');
    Object.assign(repository, { files: { 'n-q8_0.gguf': q8 }, cut: () => null });
    const model = await service.locate('modelscope:o/n');
    expect(model.sha256).toBe(sha256(q8));
    expect(readFileSync(model.path).equals(q8)).toBe(true);
    expect(readdirSync(join(folder, 'models'))).toEqual([store.hubModel('modelscope:o/n')?.id]);
    expect(store.hubModel('modelscope:o/n')?.id).not.toBe(old?.id);
    // Its terms are those of now, in the background too.
    await service.remove('modelscope:o/n');
    Object.assign(repository, { files, cut: () => 10_000 });
    await expect(service.locate('modelscope:o/n')).rejects.toMatchObject({ code: 'download.failed' });
    Object.assign(repository, { files: { 'n-q8_0.gguf': q8 }, cut: () => null, licence: 'other' });
    await service.download('modelscope:o/n', false);
    await expect.poll(() => store.hubModel('modelscope:o/n')?.licence).toBe('other');
    await expect(service.locate('modelscope:o/n')).rejects.toMatchObject({ code: 'model.licence_required' });
    expect(existsSync(model.path)).toBe(false);
  });

  it('states it anew once, not for ever', async () => {
    const server = await hubServer({ 'o/n': { files: { 'n-q8_0.gguf': q8 }, stated: { 'n-q8_0.gguf': { sha256: 'a'.repeat(64) } } } });
    const { service } = serviceOf(temporaryFolder(), [modelScope(server)]);
    const asked = (): number => server.requests.filter(({ path }) => path.includes('/repo/files')).length;
    for (const times of [1, 2]) {
      await expect(service.locate('modelscope:o/n')).rejects.toMatchObject({ code: 'model.checksum_mismatch' });
      expect(asked()).toBe(times);
    }
  });

  it('reads ModelScope’s own interface', async () => {
    const server = await hubServer({ 'o/n': { files: { 'n-q8_0.gguf': q8 }, licence: 'Apache License 2.0', token: 'ms_secret' } });
    const { service } = serviceOf(temporaryFolder(), [{ kind: 'modelscope', base: server.base, token: 'ms_secret' }]);
    expect(await service.locate('modelscope:o/n')).toMatchObject({ id: 'modelscope:o/n', sha256: sha256(q8) });
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/v1/models/o/n/repo/files?Revision=master&Recursive=true',
      '/api/v1/models/o/n',
      '/models/o/n/resolve/master/n-q8_0.gguf',
      '/cdn/o/n/n-q8_0.gguf',
    ]);
    expect(server.requests.map(({ authorization, cookie }) => [authorization, cookie])).toEqual([
      ...Array.from({ length: 3 }, () => ['Bearer ms_secret', 'm_session_id=ms_secret']),
      [undefined, undefined],
    ]);
  });

  it('asks once for a licence that has conditions, and never for one that has none', async () => {
    const files = { 'n-Q8_0.gguf': q8 };
    const server = await hubServer({ 'o/llama': { files, licence: 'llama3.2' }, 'o/unsaid': { files, licence: null }, 'o/mit': { files, licence: 'mit' } });
    const folder = temporaryFolder();
    const { service } = serviceOf(folder, [huggingFace(server)]);
    await expect(service.locate('hf:o/llama')).rejects.toMatchObject({ code: 'model.licence_required', params: { model: 'hf:o/llama', licence: 'llama3.2' } });
    await expect(service.download('hf:o/llama', false)).rejects.toMatchObject({ code: 'model.licence_required' });
    await expect(service.locate('hf:o/unsaid')).rejects.toMatchObject({ code: 'model.licence_required' });
    expect(server.fetched()).toEqual([]);
    await service.locate('hf:o/mit');
    await service.locate('hf:o/llama', { acceptLicence: true });
    await service.remove('hf:o/llama');
    // Remembered, also by the next program.
    const again = serviceOf(folder, [huggingFace(server)]).service;
    await again.locate('hf:o/llama');
  });

  it('takes the checksum of a catalogue model from its hub where the catalogue has none', async () => {
    const repo = 'bartowski/SmolLM2-1.7B-Instruct-GGUF';
    const file = 'SmolLM2-1.7B-Instruct-Q8_0.gguf';
    const stated = { [file]: { size: 1_820_414_944, sha256: 'b'.repeat(64) } };
    const server = await hubServer({ [repo]: { files: { [file]: q8 }, stated } });
    const { service, store } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    const states: DownloadState[] = [];
    service.onDownload((state) => states.push(state));
    await service.download('smollm2-1.7b-instruct', false);
    await expect.poll(() => states.at(-1)?.state).toBe('failed');
    expect(states.at(-1)).toMatchObject({ model: 'smollm2-1.7b-instruct', total: 1_820_414_944, error: { code: 'model.checksum_mismatch' } });
    expect(store.hubModel('smollm2-1.7b-instruct')).toMatchObject({ id: 'smollm2-1.7b-instruct', sha256: 'b'.repeat(64) });
    expect((await service.list()).find(({ id }) => id === 'smollm2-1.7b-instruct')).toMatchObject({ here: false, download: { state: 'failed' } });
    const other = await hubServer({ [repo]: { files: { [file]: q8 } } });
    const wrong = serviceOf(temporaryFolder(), [huggingFace(other)]).service;
    await expect(wrong.download('smollm2-1.7b-instruct', false)).rejects.toMatchObject({ code: 'model.checksum_mismatch' });
    expect(other.fetched()).toEqual([]);
  });

  it('gives up at once when it is told to, on a hub that does not answer and in the middle of a file', async () => {
    const asked = Promise.withResolvers<undefined>();
    const silent = createServer(() => asked.resolve(undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    const mute = serviceOf(temporaryFolder(), [{ kind: 'huggingface', base: `http://127.0.0.1:${port}`, token: null }]).service;
    const stop = new AbortController();
    const waits = mute.locate('hf:o/n', { signal: stop.signal }).catch((error: unknown) => error);
    await asked.promise;
    stop.abort();
    expect(await waits).toMatchObject({ code: 'cancelled' });

    const server = await hubServer({ 'o/n': { files: { 'n-Q8_0.gguf': q8 } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    expect(await service.locate('hf:o/n', { signal: AbortSignal.abort() }).catch((error: unknown) => error)).toMatchObject({ code: 'cancelled' });
    expect((await service.locate('hf:o/n', { signal: new AbortController().signal })).sha256).toBe(sha256(q8));
  });

  it('downloads in the background, pauses and goes on', async () => {
    const server = await hubServer({ 'o/n': { files: { 'n-Q8_0.gguf': q8 } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    const states: DownloadState[] = [];
    const off = service.onDownload((state) => states.push(state));
    await service.download('hf:o/n', false);
    await service.pause('hf:o/n');
    expect(states.at(-1)?.state).toMatch(/paused|done/);
    await service.download('hf:o/n', false);
    await service.locate('hf:o/n');
    off();
    await service.close();
    expect((await service.list()).find(({ id }) => id === 'hf:o/n')?.here).toBe(true);
    await expect(service.download('nothing', false)).rejects.toMatchObject({ code: 'model.unknown' });
  });
});
