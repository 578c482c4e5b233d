// Repositories that are a model’s folder: their files, each checked, and one download for all.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCatalogue } from '../../../main/resources.ts';
import type { DownloadState } from '../../../shared/model.ts';
import { tryLock } from '../../../tools/lock.mjs';
import { temporaryFolder } from '../../support/files.ts';
import { COMMIT, hubServer } from '../../support/hub-server.ts';
import { bytes, huggingFace, modelScope, serviceOf } from '../../support/model-service.ts';

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

  /** Those files that there are. */
  const given = (some: Record<string, Buffer | undefined>): Record<string, Buffer> =>
    Object.fromEntries(Object.entries(some).flatMap(([name, data]) => (data === undefined ? [] : [[name, data]])));

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

  it.each<[string, Partial<Record<keyof typeof files, Buffer | undefined>>, Record<string, { size?: number; sha256?: string | null }>, string]>([
    ['a kind of model that is not computed', { 'config.json': Buffer.from('{"model_type":"gemma2"}') }, {}, 'model.unknown_architecture'],
    ['a config.json that is none', { 'config.json': Buffer.from('[') }, {}, 'model.unknown_architecture'],
    ['half of a model: no tokenizer', { 'tokenizer.json': undefined }, {}, 'model.source_unsupported'],
    ['half of a model: no index of the shards', { 'model.safetensors.index.json': undefined }, {}, 'model.source_unsupported'],
    ['half of a model: a shard is missing', { 'model-00002-of-00002.safetensors': undefined }, {}, 'model.source_unsupported'],
    ['half of a model: an empty shard', { 'model-00002-of-00002.safetensors': Buffer.alloc(0) }, {}, 'model.source_unsupported'],
    ['sizes whose sum is no number of bytes', {}, { 'model-00001-of-00002.safetensors': { size: 2 ** 52 }, 'model-00002-of-00002.safetensors': { size: 2 ** 52 } }, 'model.source_unsupported'],
    ['more than the disk has room for', {}, { 'model-00002-of-00002.safetensors': { size: 2 ** 50 } }, 'disk.full'],
    ['weights of which no sha256 is stated', {}, { 'model-00001-of-00002.safetensors': { sha256: 'none' } }, 'model.source_unsupported'],
  ])('are refused before their weights are fetched: %s', async (_what, change, other, code) => {
    const server = await hubServer({ 'o/n': { files: given({ ...files, ...change }), stated: { ...stated, ...other } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/n')).rejects.toMatchObject({ code });
    expect(server.fetched().filter(({ path }) => path.endsWith('.safetensors'))).toEqual([]);
    // What a hub says once does not spoil the list.
    expect((await service.list()).length).toBeGreaterThan(0);
  });

  it('are asked for their kind first, also where all checksums are stated', async () => {
    const server = await hubServer({ 'o/n': { files: { ...files, 'config.json': Buffer.from('{"model_type":"gemma2"}') } } });
    const { service } = serviceOf(temporaryFolder(), [modelScope(server)]);
    await expect(service.locate('modelscope:o/n')).rejects.toMatchObject({ code: 'model.unknown_architecture' });
    expect(server.fetched().map(({ path }) => path)).toEqual(['/cdn/o/n/config.json']);
  });

  it('are taken without files that are empty, and with SentencePiece’s tokenizer', async () => {
    const { 'tokenizer.json': _, ...others } = files;
    const server = await hubServer({ 'o/n': { files: { ...others, 'tokenizer.model': bytes('pieces', 900), 'added_tokens.json': Buffer.alloc(0) }, stated: { ...stated, 'added_tokens.json': { sha256: null } } } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    const { path } = await service.locate('hf:o/n');
    expect(readdirSync(path)).toContain('tokenizer.model');
    expect(readdirSync(path)).not.toContain('added_tokens.json');
  });

  it('are asked for once more where a small file is lost, and then of the next hub', async () => {
    let sent = 0;
    const shaky = await hubServer({ 'o/n': { files, stated, cut: () => (++sent === 1 ? 10 : null) } });
    const mirror = await hubServer({ 'o/n': { files, stated } });
    await serviceOf(temporaryFolder(), [huggingFace(shaky), huggingFace(mirror)]).service.locate('hf:o/n');
    expect(mirror.requests).toEqual([]);
    const dead = await hubServer({ 'o/n': { files, stated, cut: () => 10 } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(dead), huggingFace(mirror)]);
    await service.locate('hf:o/n');
    expect(dead.fetched().slice(0, 2).map(({ path }) => path)).toEqual(['/cdn/o/n/config.json', '/cdn/o/n/config.json']);
    await expect(serviceOf(temporaryFolder(), [huggingFace(dead)]).service.locate('hf:o/n')).rejects.toMatchObject({
      code: 'download.failed',
      detail: expect.stringContaining('config.json') as string,
    });
  });

  it('ask for a token where only their files are gated', async () => {
    const server = await hubServer({ 'o/n': { files, stated, gated: true } });
    const { service } = serviceOf(temporaryFolder(), [huggingFace(server)]);
    await expect(service.locate('hf:o/n')).rejects.toMatchObject({ code: 'download.denied' });
  });

  it('belong to who fetches them until the last file is there', async () => {
    const home = temporaryFolder();
    /** Whether somebody else could have removed them, since the first file was asked for and until each of the others was. */
    const seen: boolean[] = [];
    let taken = false;
    const look = (lock: string): void => {
      const release = tryLock(lock);
      taken ||= release !== null;
      release?.();
      if (seen.length < fetched.length) setImmediate(look, lock);
    };
    const watch = (): null => {
      const [id] = existsSync(join(home, 'models')) ? readdirSync(join(home, 'models')) : [];
      if (id !== undefined && seen.push(taken) === 1) look(join(home, 'models', id, '.lock'));
      return null;
    };
    const server = await hubServer({ 'o/n': { files, stated, cut: watch } });
    await serviceOf(home, [huggingFace(server)]).service.locate('hf:o/n');
    expect(seen).toEqual(fetched.map(() => false));
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
