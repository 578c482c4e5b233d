// Models by REF on this machine: files and folders that were added, how they go, and what is listed.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCatalogue } from '../../../main/resources.ts';
import { ModelService, type ModelOptions } from '../../../main/services/model.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { tryLock } from '../../../tools/lock.mjs';
import { temporaryFolder } from '../../support/files.ts';
import { hubServer } from '../../support/hub-server.ts';
import { huggingFace, q8, serviceOf, sha256 } from '../../support/model-service.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

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
    // What was quantised goes with any model: whose it is cannot be seen, and it is made again.
    mkdirSync(home.quantized);
    for (const name of ['namesake-nf4-0123456789abcdef.bin', 'namesake-nf4-0123456789abcdef.bin.tmp']) writeFileSync(join(home.quantized, name), '1234');
    expect(await service.remove('etc-passwd')).toBe('../../../etc/passwd'.length + 8);
    expect(readdirSync(home.quantized)).toEqual([]);
    expect(readdirSync(join(home.folder, 'models', 'own')).sort()).toEqual(['mein-modell-1--2.gguf', 'mein-modell-1-.gguf', 'model-2.gguf', 'model.gguf']);
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
    // The adapter that the default model begins from would fit no other.
    expect(await service.beginning('hf:o/nowhere')).toEqual({ recipe: 'models_0b2_qlora_identity', precision: 'as-stored' });
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
    const placement = { device: 'cpu', card: null, no_card: { code: 'gpu.no_driver', detail: '' } } as const;
    const memory = { available: 3e9, placement };
    const need: ModelOptions['need'] = ({ id }) => {
      if (id === 'smollm2-360m-instruct') return Promise.resolve(null);
      return Promise.resolve(id === 'smollm2-1.7b-instruct' ? { ...memory, needs: 4e9, fits: false, quantised: true } : { ...memory, needs: 1e9, fits: true, quantised: false });
    };
    const { service } = serviceOf(temporaryFolder(), [], { need });
    const cards = await service.list();
    expect(cards.slice(0, 3).map(({ id, fits, needs_bytes, quantised, here, purpose }) => ({ id, fits, needs_bytes, quantised, here, purpose }))).toEqual([
      { id: 'smollm2-135m-instruct', fits: true, needs_bytes: 1e9, quantised: false, here: false, purpose: 'smallest' },
      { id: 'smollm2-360m-instruct', fits: null, needs_bytes: null, quantised: null, here: false, purpose: 'balanced' },
      { id: 'smollm2-1.7b-instruct', fits: false, needs_bytes: 4e9, quantised: true, here: false, purpose: 'strong' },
    ]);
    expect(cards.map(({ id }) => id)).toEqual(loadCatalogue().models.map(({ id }) => id));
    expect(cards.slice(0, 2).map((card) => card.placement)).toEqual([placement, null]);
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
