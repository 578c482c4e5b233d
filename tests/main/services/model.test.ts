// Models by REF: catalogue, hubs, added files; what is remembered of them, and how they go.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Home } from '../../../main/home.ts';
import { loadCatalogue } from '../../../main/resources.ts';
import { parseHubRef } from '../../../main/services/hub.ts';
import { ModelService, type ModelOptions } from '../../../main/services/model.ts';
import { openDatabase } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { RunStore } from '../../../main/store/runs.ts';
import type { DownloadState } from '../../../shared/model.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { tryLock } from '../../../tools/lock.mjs';
import type { Hub } from '../../../tools/hubs.mjs';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { COMMIT, hubServer, type HubServer } from '../../support/hub-server.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

const patience = { attempts: 2, pauseMs: 1, longestWaitMs: 50, idleMs: 5000, headMs: 5000 };

function bytes(name: string, length = 50_000): Buffer {
  return createHash('shake256', { outputLength: length }).update(name).digest();
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function serviceOf(folder: string, hubs: Hub[], options: ModelOptions = {}) {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  onTestFinished(() => {
    db.close();
  });
  const store = new ModelStore(db);
  const lines: string[] = [];
  const service = new ModelService(home, store, { log: (line) => lines.push(line), onBytes: () => undefined }, { hubs: () => hubs, patience, ...options });
  return { service, store, lines, runs: new RunStore(db), home };
}

function huggingFace({ base }: HubServer, token: string | null = null): Hub {
  return { kind: 'huggingface', base, token };
}

const q8 = bytes('q8');

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

describe('folders of hubs', () => {
  const weights = [bytes('one', 30_000), bytes('two', 20_000)] as const;
  const small = { 'config.json': Buffer.from('{"model_type":"qwen2"}'), 'tokenizer.json': bytes('tokens', 3000), 'tokenizer_config.json': Buffer.from('{}') };
  const files = {
    ...small,
    'model-00001-of-00002.safetensors': weights[0],
    'model-00002-of-00002.safetensors': weights[1],
    'model.safetensors.index.json': Buffer.from('{"weight_map":{}}'),
    'pytorch_model.bin': bytes('again'),
    'consolidated.safetensors': bytes('once more'),
    'original/params.json': Buffer.from('{}'),
  };
  /** Small files have no sha256 on Hugging Face, only git's checksum. */
  const stated = Object.fromEntries(Object.keys(files).filter((name) => name.endsWith('.json')).map((name) => [name, { sha256: null }]));
  const fetched = [...Object.keys(small), 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json'];

  it('are fetched file by file, checked against what the hub states, and known as the same folder of a person’s own', async () => {
    const server = await hubServer({ 'o/n': { files, stated } });
    const home = temporaryFolder();
    const states: DownloadState[] = [];
    const { service } = serviceOf(home, [huggingFace(server)]);
    service.onDownload((state) => states.push(state));
    const model = await service.locate('hf:o/n');
    expect(model).toMatchObject({ id: 'hf:o/n', base: 'o/n' });
    expect(readdirSync(model.path).filter((name) => !/^\.|\.verified$/.test(name)).sort()).toEqual([...fetched].sort());
    const size = fetched.reduce((sum, name) => sum + (files[name as keyof typeof files]?.length ?? 0), 0);
    expect(states.at(-1)).toMatchObject({ state: 'done', done: size, total: size });
    const later = serviceOf(home, []).service;
    expect(await later.locate('hf:o/n')).toEqual(model);
    expect((await later.list()).find(({ id }) => id === 'hf:o/n')).toMatchObject({ name: 'hf:o/n', here: true, path: model.path, size_bytes: size });
    const own = join(temporaryFolder(), 'mine');
    mkdirSync(own);
    for (const name of fetched) writeFileSync(join(own, name), files[name as keyof typeof files]);
    expect((await later.locate(own)).sha256).toBe(model.sha256);
    // All of it goes, and nothing else.
    mkdirSync(join(home, 'models', 'other'));
    expect(await later.remove('hf:o/n')).toBeGreaterThanOrEqual(size);
    expect(existsSync(model.path)).toBe(false);
    expect(existsSync(join(home, 'models', 'other'))).toBe(true);
  });

  it('are no model before they are whole, and go on where they were', async () => {
    let broken = true;
    // Four of them are read to know what the folder is.
    let sent = 0;
    const server = await hubServer({ 'o/n': { files, stated, cut: () => (++sent > 4 && broken ? 10_000 : null) } });
    const home = temporaryFolder();
    const { service } = serviceOf(home, [huggingFace(server)]);
    await expect(service.locate('hf:o/n')).rejects.toMatchObject({ code: 'download.failed' });
    const card = (await service.list()).find(({ id }) => id === 'hf:o/n');
    expect(card).toMatchObject({ here: false, download: { state: 'failed' } });
    expect(await service.find('hf:o/n')).toBeNull();
    const before = server.fetched().length;
    broken = false;
    await service.locate('hf:o/n');
    expect(server.fetched().slice(before).find(({ path }) => path.endsWith('model-00001-of-00002.safetensors'))?.range).toMatch(/^bytes=[1-9]/);
  });

  it.each<[string, Partial<Record<keyof typeof files, Buffer>>, Record<string, { sha256: string | null }>, string]>([
    ['a kind of model that is not computed', { 'config.json': Buffer.from('{"model_type":"gemma2"}') }, {}, 'model.unknown_architecture'],
    ['a config.json that is none', { 'config.json': Buffer.from('[') }, {}, 'model.unknown_architecture'],
    ['weights of which no sha256 is stated', {}, { 'model-00001-of-00002.safetensors': { sha256: 'none' } }, 'model.source_unsupported'],
  ])('are refused before their weights are fetched: %s', async (_what, change, other, code) => {
    const server = await hubServer({ 'o/n': { files: { ...files, ...change }, stated: { ...stated, ...other } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/n')).rejects.toMatchObject({ code });
    expect(server.fetched().filter(({ path }) => path.endsWith('.safetensors'))).toEqual([]);
  });

  it('of the catalogue are those of the first hub that has them, at the revision that it names', async () => {
    const entry = loadCatalogue().models.find(({ file }) => file === '');
    const [source] = entry?.sources ?? [];
    const repo = source !== undefined && 'repo' in source ? source.repo : '';
    const server = await hubServer({ [repo]: { files, stated } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate(entry?.id ?? '')).rejects.toMatchObject({ code: 'model.licence_required' });
    const model = await service.locate(entry?.id ?? '', { acceptLicence: true });
    expect(model).toMatchObject({ id: entry?.id, base: repo });
    expect(server.fetched().length).toBeGreaterThan(0);
    expect(server.requests.filter(({ path }) => path.includes('/resolve/')).every(({ path }) => path.includes(`/resolve/${COMMIT}/`))).toBe(true);
    expect(await service.find(entry?.id ?? '')).toEqual(model);
  });
});

describe('added files', () => {
  it('moves what came in through a door into the home, under a name of its own making', async () => {
    const { service, home } = serviceOf(temporaryFolder(), []);
    mkdirSync(home.uploads, { recursive: true });
    const ids = [];
    for (const name of ['Mein Modell (1).gguf', '../../../etc/passwd', '…', '.gguf', 'mein-modell-1-.gguf']) {
      const upload = join(home.uploads, 'a'.repeat(32));
      writeFileSync(upload, name);
      const id = await service.add(upload, name);
      expect(existsSync(upload)).toBe(false);
      const model = await service.locate(id);
      expect(model.path).toBe(join(home.folder, 'models', 'own', `${id}.gguf`));
      expect(readFileSync(model.path, 'utf8')).toBe(name);
      ids.push(id);
    }
    expect(ids).toEqual(['mein-modell-1-', 'etc-passwd', 'model', 'model-2', 'mein-modell-1--2']);
    // What was quantised of the home's own files goes with one of them: whose it is cannot be seen, and it is made again.
    const own = join(home.folder, 'models', 'own');
    writeFileSync(join(own, 'namesake-nf4-0123456789abcdef.bin'), '1234');
    expect(await service.remove('etc-passwd')).toBe('../../../etc/passwd'.length + 4);
    expect(readdirSync(own).sort()).toEqual(['mein-modell-1--2.gguf', 'mein-modell-1-.gguf', 'model-2.gguf', 'model.gguf']);
    await expect(service.locate('etc-passwd')).rejects.toMatchObject({ code: 'model.unknown' });
  });

  it('leaves a person’s own file where it is, also when it is forgotten', async () => {
    const folder = temporaryFolder();
    const { service } = serviceOf(join(folder, 'home'), []);
    const path = join(folder, 'My.gguf');
    writeFileSync(path, 'x');
    expect(await service.add(path)).toBe('my');
    expect((await service.list()).at(-1)).toMatchObject({ id: 'my', name: 'My.gguf', here: true, path, licence: null, purpose: 'own' });
    expect(await service.remove('my')).toBe(0);
    expect(existsSync(path)).toBe(true);
    await expect(service.remove('my')).rejects.toMatchObject({ code: 'model.unknown' });
  });

  it('reads a file for its hash only when size or time changed', async () => {
    const folder = temporaryFolder();
    const { service } = serviceOf(join(folder, 'home'), []);
    const path = join(folder, 'm.gguf');
    writeFileSync(path, 'one');
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    const first = (await service.locate(path)).sha256;
    expect(first).toBe(sha256(Buffer.from('one')));
    writeFileSync(path, 'two');
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    expect((await serviceOf(join(folder, 'home'), []).service.locate(path)).sha256).toBe(first);
    utimesSync(path, 1_700_000_000, 1_700_000_001);
    expect((await service.locate(path)).sha256).toBe(sha256(Buffer.from('two')));
  });
});

describe('folders', () => {
  const files = { 'config.json': '{}', 'model.safetensors': 'weights', 'tokenizer.json': '{"a":1}' };

  function modelFolder(change: Record<string, string> = {}): string {
    const folder = join(temporaryFolder(), 'Tiny Qwen2');
    mkdirSync(folder);
    for (const [name, text] of Object.entries({ ...files, ...change })) writeFileSync(join(folder, name), text);
    return folder;
  }

  it('are models where they hold a config.json: added in place, found again, and left alone when they are forgotten', async () => {
    const { service } = serviceOf(temporaryFolder(), []);
    const folder = modelFolder({ 'README.md': 'not counted' });
    expect(await service.add(folder)).toBe('tiny-qwen2');
    const model = await service.locate('tiny-qwen2');
    expect(model).toMatchObject({ id: 'tiny-qwen2', path: folder });
    expect(await service.find('tiny-qwen2')).toEqual(model);
    expect(await service.locate(folder)).toEqual({ ...model, id: folder });
    const size = Object.values(files).join('').length;
    expect((await service.list()).at(-1)).toMatchObject({ id: 'tiny-qwen2', name: 'Tiny Qwen2', here: true, size_bytes: size, purpose: 'own' });
    expect(await service.remove('tiny-qwen2')).toBe(0);
    expect(readdirSync(folder)).toHaveLength(4);
  });

  it('are missing without their config.json', async () => {
    const { service } = serviceOf(temporaryFolder(), []);
    const folder = modelFolder();
    await service.add(folder);
    rmSync(join(folder, 'config.json'));
    expect(await service.find('tiny-qwen2')).toBeNull();
    expect((await service.list()).at(-1)).toMatchObject({ here: false, size_bytes: null });
    await expect(service.locate('tiny-qwen2')).rejects.toMatchObject({ code: 'model.source_unsupported' });
    rmSync(folder, { recursive: true });
    await expect(service.locate('tiny-qwen2')).rejects.toMatchObject({ code: 'model.not_found' });
  });

  it('are known by all that makes the model, and by nothing else', async () => {
    const { service } = serviceOf(temporaryFolder(), []);
    const hash = async (change: Record<string, string>) => (await service.locate(modelFolder(change))).sha256;
    const same = await hash({});
    expect(await hash({ 'README.md': 'x', 'namesake-nf4-0.bin': 'x', 'adapter_model.safetensors': 'x', 'pytorch_model.bin': 'x' })).toBe(same);
    const others = [{ 'config.json': '{ }' }, { 'model.safetensors': 'weightz' }, { 'tokenizer.json': '{"a":2}' }, { 'chat_template.jinja': '' }, { 'model-2.safetensors': '' }];
    const hashes = await Promise.all(others.map(hash));
    expect(new Set([same, ...hashes]).size).toBe(others.length + 1);
  });

  it('are read for their hash once, with a word on how far that is', async () => {
    const home = temporaryFolder();
    const folder = modelFolder();
    const told: [number, number][] = [];
    const { home: place, store } = serviceOf(home, []);
    const service = new ModelService(place, store, { log: () => undefined, onBytes: (done, total) => told.push([done, total]) }, { hubs: () => [] });
    await service.locate(folder);
    const size = Object.values(files).join('').length;
    expect(told.at(-1)).toEqual([size, size]);
    expect(told.map(([done]) => done)).toEqual([...told.map(([done]) => done)].sort((a, b) => a - b));
    const before = told.length;
    writeFileSync(join(folder, 'tokenizer.json'), '{"a":100}');
    await service.locate(folder);
    // Only what changed.
    expect(told).toHaveLength(before + 1);
  });

  it('begin as their size says, asked of the engine once', async () => {
    let asked = 0;
    const shape: ModelOptions['shape'] = () => {
      asked++;
      return Promise.resolve({ hidden: 2048, layers: 24, heads: 16, kv_heads: 8, head_dim: 128, ffn: 8192, vocab: 92544, tied: false, file_bytes: 3.8e9 });
    };
    const { service } = serviceOf(temporaryFolder(), [], { shape });
    const folder = modelFolder();
    for (let i = 0; i < 2; i++) expect(await service.beginning(folder)).toEqual({ recipe: 'models_2b_qlora_identity', precision: 'nf4' });
    expect(asked).toBe(1);
    expect(await service.beginning(service.default)).toEqual({ recipe: 'smollm2_135m_qlora_identity', precision: 'as-stored' });
    expect(await service.beginning('hf:o/nowhere')).toEqual({ recipe: 'smollm2_135m_qlora_identity', precision: 'as-stored' });
  });
});

describe('remove', () => {
  async function fetched() {
    const server = await hubServer({ 'o/n': { files: { 'n-Q8_0.gguf': q8 } } });
    const made = serviceOf(temporaryFolder(), [huggingFace(server)]);
    const model = await made.service.locate('hf:o/n');
    return { ...made, model };
  }

  it('removes a fetched model with all that belongs to it', async () => {
    const { service, model, home } = await fetched();
    expect(await service.remove('hf:o/n')).toBeGreaterThanOrEqual(q8.length);
    expect(existsSync(model.path)).toBe(false);
    expect(readdirSync(join(home.folder, 'models'))).toEqual([]);
    expect((await service.list()).map(({ id }) => id)).not.toContain('hf:o/n');
    await expect(service.remove('hf:o/n')).rejects.toMatchObject({ code: 'model.unknown' });
    expect(await service.remove(service.default)).toBe(0);
  });

  it('removes what was fetched of a model', async () => {
    const { service, home } = serviceOf(temporaryFolder(), []);
    const folder = join(home.folder, 'models', 'smollm2-360m-instruct');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'smollm2-360m-instruct-q8_0.gguf.part'), 'half');
    expect((await service.list()).find(({ id }) => id === 'smollm2-360m-instruct')?.download).toMatchObject({ state: 'paused', done: 4 });
    expect(await service.remove('smollm2-360m-instruct')).toBe(4);
    expect(existsSync(folder)).toBe(false);
  });

  it('refuses while a chat of any process has it open', async () => {
    const { service, model, home } = await fetched();
    const release = service.use(model);
    const beside = serviceOf(home.folder, []).service;
    await expect(beside.remove('hf:o/n')).rejects.toMatchObject({ code: 'model.in_use', params: { model: 'hf:o/n' } });
    release();
    // A process that died uses nothing.
    const uses = join(home.folder, 'models', '.uses');
    writeFileSync(join(uses, '1-0.json'), JSON.stringify({ pid: process.pid, start: 'another time', path: model.path }));
    writeFileSync(join(uses, '1-1.json'), '{');
    await beside.remove('hf:o/n');
    expect(statSync(uses).isDirectory()).toBe(true);
    expect(existsSync(join(uses, '1-0.json'))).toBe(false);
  });

  it('refuses while a run trains it, and not when its process died', async () => {
    const { service, runs, home } = await fetched();
    runs.create('r', recipeSchema.parse(tinyRecipe(home.folder, { model: { ref: 'hf:o/n' } })));
    const release = tryLock(home.trainerLock);
    await expect(service.remove('hf:o/n')).rejects.toMatchObject({ code: 'model.in_use' });
    release?.();
    await service.remove('hf:o/n');
  });

  it('refuses while another process fetches it', async () => {
    const { service, model } = await fetched();
    const release = tryLock(join(model.path, '..', '.lock'));
    await expect(service.remove('hf:o/n')).rejects.toMatchObject({ code: 'model.in_use' });
    expect(existsSync(model.path)).toBe(true);
    release?.();
    await service.remove('hf:o/n');
  });
});

describe('list', () => {
  it('says what a model needs and whether it fits', async () => {
    const need: ModelOptions['need'] = (card) => Promise.resolve(card.id === 'smollm2-1.7b-instruct' ? { needs: 4e9, available: 3e9, quantised: true } : card.id === 'smollm2-360m-instruct' ? null : { needs: 1e9, available: 3e9, quantised: false });
    const { service } = serviceOf(temporaryFolder(), [], { need });
    const cards = await service.list();
    expect(cards.slice(0, 3).map(({ id, fits, needs_bytes, quantised, here, purpose }) => ({ id, fits, needs_bytes, quantised, here, purpose }))).toEqual([
      { id: 'smollm2-135m-instruct', fits: true, needs_bytes: 1e9, quantised: false, here: false, purpose: 'smallest' },
      { id: 'smollm2-360m-instruct', fits: null, needs_bytes: null, quantised: null, here: false, purpose: 'balanced' },
      { id: 'smollm2-1.7b-instruct', fits: false, needs_bytes: 4e9, quantised: true, here: false, purpose: 'strong' },
    ]);
    expect(cards.map(({ id }) => id)).toEqual(loadCatalogue().models.map(({ id }) => id));
    for (const { available_bytes } of cards) expect(available_bytes).toBeGreaterThan(0);
  });

  it('says which one is taken by itself, what it is weak in, and how long the last assistant from it took', async () => {
    const folder = temporaryFolder();
    const { service } = serviceOf(folder, [], { madeSeconds: (ref) => (ref === 'smollm2-135m-instruct' ? 95 : null) });
    const path = join(folder, 'mine.gguf');
    writeFileSync(path, 'x');
    await service.add(path);
    const said = (await service.list()).map(({ id, standard, weak_languages, made_seconds }) => [id, standard, weak_languages, made_seconds]);
    expect([...said.slice(0, 2), said.at(-1)]).toEqual([
      ['smollm2-135m-instruct', true, ['zh'], 95],
      ['smollm2-360m-instruct', false, ['zh'], null],
      ['mine', false, [], null],
    ]);
    expect(said.filter(([, standard]) => standard)).toHaveLength(1);
    // What was added cannot be fetched again when it is gone.
    await service.download('mine', false);
    rmSync(path);
    await expect(service.download('mine', false)).rejects.toMatchObject({ code: 'model.not_found' });
  });
});
