// models, recipes, doctor, bench: what there is, and whether it works.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { loadCatalogue } from '../../../main/resources.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { errorCode, eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

describe('models', () => {
  it('lists the catalogue, remembers a checked file, and opens it by its id', async () => {
    const home = temporaryFolder();
    const models = async (...args: string[]) => namesake(['models', ...args, '--json'], { home });
    const before = eventsOf(await models('list'), 'model');
    expect(before.map(({ id, licence, here }) => ({ id, licence, here }))).toEqual(
      loadCatalogue().models.map(({ id, licence }) => ({ id, licence, here: false })),
    );
    copyFileSync(tinyModel, join(home, 'My Model.gguf'));
    expect(lastEvent(await models('add', join(home, 'My Model.gguf')))).toEqual({ event: 'result', id: 'my-model', path: join(home, 'My Model.gguf') });
    expect(eventsOf(await models('list'), 'model').slice(before.length)).toMatchObject([{ id: 'my-model', here: true, path: join(home, 'My Model.gguf') }]);
    expect(lastEvent(await namesake(['inspect', 'model', 'my-model', '--json'], { home }))).toMatchObject({ ref: 'my-model', layers: 2 });
    for (const folder of ['a', 'b']) {
      mkdirSync(join(home, folder));
      copyFileSync(tinyModel, join(home, folder, 'smollm2-135m-instruct.gguf'));
    }
    const add = async (folder: string) => lastEvent(await models('add', join(home, folder, 'smollm2-135m-instruct.gguf')))['id'];
    expect([await add('a'), await add('b'), await add('a')]).toEqual(['smollm2-135m-instruct-2', 'smollm2-135m-instruct-3', 'smollm2-135m-instruct-2']);
    rmSync(join(home, 'My Model.gguf'));
    expect(eventsOf(await models('list'), 'model')).toContainEqual(expect.objectContaining({ id: 'my-model', here: false }));
    expect(errorCode(await namesake(['inspect', 'model', 'my-model', '--json'], { home }))).toBe('model.not_found');
  });

  it.each([
    ['model.truncated', fixture('hostile/truncated-half.gguf')],
    ['model.not_found', '/no/such/model.gguf'],
    ['model.source_unsupported', fixture('hostile')],
    ['model.source_unsupported', 'hf:owner'],
    ['model.unknown', 'nothing-of-that-name'],
  ])('add says %s for %s and remembers nothing', async (code, path) => {
    const home = temporaryFolder();
    expect(errorCode(await namesake(['models', 'add', path, '--json'], { home }))).toBe(code);
    expect(eventsOf(await namesake(['models', 'list', '--json'], { home }), 'model')).toHaveLength(loadCatalogue().models.length);
  });
});

it('recipes list and show print complete recipes', async () => {
  const home = temporaryFolder();
  const names = eventsOf(await namesake(['recipes', 'list', '--json'], { home }), 'recipe').map(({ name }) => String(name));
  expect(names).toContain('smollm2_135m_qlora_identity');
  expect(eventsOf(await namesake(['recipes', 'list', '-p', 'no such', '--json'], { home }), 'recipe')).toEqual([]);
  for (const name of names) {
    const { recipe } = lastEvent(await namesake(['recipes', 'show', name, '--json'], { home }));
    expect(recipeSchema.parse(recipe)).toEqual(recipe);
  }
  expect(errorCode(await namesake(['recipes', 'show', 'none', '--json'], { home }))).toBe('recipe.unknown');
  const copy = join(home, 'mine.json');
  expect(lastEvent(await namesake(['recipes', 'copy', names[0] as string, copy, '--json'], { home }))).toMatchObject({ name: names[0], path: copy });
  expect(JSON.parse(readFileSync(copy, 'utf8'))).toMatchObject({ version: 1, name: names[0] });
  expect(errorCode(await namesake(['recipes', 'copy', names[0] as string, copy, '--json'], { home }), 2)).toBe('usage.invalid');
});

describe('doctor', () => {
  it('tells what works here', async () => {
    const home = temporaryFolder();
    const result = lastEvent(await namesake(['doctor', '--json'], { home }));
    expect(result).toMatchObject({ event: 'result', home, default_model: { id: 'smollm2-135m-instruct', here: false } });
    expect(result['addon']).toMatch(/namesake\.node$/);
    const { auto, levels } = result['isa'] as { auto: string; levels: { isa: string; supported: boolean; reason: string | null }[] };
    expect(levels.find(({ isa }) => isa === auto)).toMatchObject({ supported: true, reason: null });
    expect(levels.find(({ isa }) => isa === 'scalar')).toMatchObject({ supported: true });
    for (const { supported, reason } of levels) expect(reason === null).toBe(supported);
  });

  it('says that there is no engine where there is none, after everything else', async () => {
    const result = await namesake(['doctor', '--json'], { home: temporaryFolder(), env: { NAMESAKE_ADDON: '/nowhere/namesake.node' } });
    expect(errorCode(result)).toBe('engine.missing');
    expect(result.events[0]).toMatchObject({ event: 'result', engine_error: { code: 'engine.missing' }, addon: null, default_model: { here: false } });
    expect(result.events[0]?.['free_disk_bytes']).toBeGreaterThan(0);
  });

  it.each(['no database', null])('works where there is no home to be opened (%j)', async (database) => {
    const folder = temporaryFolder();
    const home = join(folder, 'home');
    if (database === null) writeFileSync(home, 'a file');
    else {
      mkdirSync(home);
      writeFileSync(join(home, 'namesake.db'), database);
    }
    expect(lastEvent(await namesake(['doctor', '--json'], { home }))).toMatchObject({ event: 'result', home, engine_error: null });
    expect(readdirSync(folder, { recursive: true }).map(String).sort()).toEqual(database === null ? ['home'] : ['home', join('home', 'namesake.db')]);
  });

  it('says that the engine is no engine where it is none', async () => {
    const result = await namesake(['doctor', '--json'], { home: temporaryFolder(), env: { NAMESAKE_ADDON: tinyModel } });
    expect(errorCode(result)).toBe('engine.incompatible');
  });
});

describe('bench', () => {
  it('train prints figures', async () => {
    const home = temporaryFolder();
    const train = lastEvent(await namesake(['bench', 'train', '--model', tinyModel, '--steps', '2', '--batch-tokens', '128', '--rank', '4', '--json'], { home }));
    expect(train).toMatchObject({ event: 'result', steps: 2, tokens: 256 });
    expect(train['tokens_per_second']).toBeGreaterThan(0);
    expect(train['open_seconds']).toBeGreaterThan(0);
    // 4 × parameters × tokens, of which the peak that was measured before them is another view.
    const flops = 4 * (2 * 323 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 2 * 64) + 64) * 256;
    expect(train['useful_tflops']).toBeCloseTo(flops / Number(train['seconds']) / 1e12, 12);
    expect(train).toMatchObject({ backend: 'cpu', card: null });
    const peak = Number(train['peak_tflops']);
    expect(peak).toBeGreaterThan(0);
    expect(train['share_of_peak']).toBeCloseTo(Number(train['useful_tflops']) / peak, 12);
    // Its parts are all of it but for what goes to the engine and back.
    const { forward, backward, update } = train['phases'] as Record<string, { seconds: number; tokens_per_second: number; useful_tflops: number | null; share_of_peak: number | null }>;
    expect(forward?.useful_tflops).toBeCloseTo(flops / 2 / Number(forward?.seconds) / 1e12, 12);
    expect(forward?.share_of_peak).toBeCloseTo(Number(forward?.useful_tflops) / peak, 12);
    expect(update?.share_of_peak).toBeNull();
    expect(backward?.tokens_per_second).toBeCloseTo(256 / Number(backward?.seconds), 6);
    expect(update?.useful_tflops).toBeNull();
    for (const part of [forward, backward, update]) expect(part?.seconds).toBeGreaterThan(0);
    expect([forward, backward, update].reduce((sum, part) => sum + Number(part?.seconds), 0)).toBeLessThan(Number(train['seconds']));
    if (process.platform === 'linux') expect(train['peak_rss_bytes']).toBeGreaterThan(1e6);
  });

  it('chat prints what an answer takes and what two cost, of a prompt as long as one asks for, and leaves its ids', async () => {
    const home = temporaryFolder();
    const file = join(home, 'ids.json');
    const run = (...flags: string[]): Promise<Record<string, unknown>> =>
      namesake(['bench', 'chat', '--model', tinyModel, '--max-tokens', '8', '--repeat', '1', '--json', ...flags], { home }).then(lastEvent);
    const short = await run();
    expect(short).toMatchObject({ backend: 'cpu', card: null, panes: null });
    expect(short['tokens_per_second']).toBeGreaterThan(0);

    const long = await run('--prompt-tokens', '150', '--ids-to', file, '--panes');
    // A word of the prompt has no more tokens than letters.
    expect(long['prompt_tokens']).toBeGreaterThan(140);
    expect(long['prompt_tokens']).toBeLessThanOrEqual(150);
    expect(long['prompt_tokens']).toBeGreaterThan(Number(short['prompt_tokens']));
    expect(long['prefill_tokens_per_second']).toBeCloseTo(Number(long['prompt_tokens']) / Number(long['prefill_seconds']), 6);
    expect(long['first_token_seconds']).toBeGreaterThan(Number(long['prefill_seconds']) / 2);
    const ids = JSON.parse(readFileSync(file, 'utf8')) as number[];
    expect(ids).toHaveLength(Number(long['prompt_tokens']));
    expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);

    const { tokens, seconds_per_token, cost } = long['panes'] as { tokens: number; seconds_per_token: Record<string, number>; cost: Record<string, number> };
    expect(tokens).toBeGreaterThan(1);
    const { before = 0, after = 0, both = 0 } = seconds_per_token;
    expect(Math.min(before, after, both)).toBeGreaterThan(0);
    expect(cost).toEqual({ of_before: both / before, of_after: both / after });

    expect((await namesake(['bench', 'chat', '--model', tinyModel, '--prompt-tokens', '2', '--json'], { home })).code).toBe(2);
  });

  it('peak measures each instruction set that the processor has, and names the others', async () => {
    const home = temporaryFolder();
    const peak = lastEvent(await namesake(['bench', 'peak', '--threads', '2', '--json'], { home }));
    expect(peak).toMatchObject({ event: 'result', threads: 2 });
    const { levels } = lastEvent(await namesake(['doctor', '--json'], { home }))['isa'] as { levels: { isa: string; supported: boolean; reason: string | null }[] };
    const isas = peak['isas'] as { isa: string; absent?: string; one: number; all: number }[];
    expect(isas.map(({ isa, absent }) => ({ isa, absent }))).toEqual(levels.map(({ isa, reason }) => ({ isa, absent: reason ?? undefined })));
    const measured = [...isas.filter(({ absent }) => absent === undefined), peak['memory'] as { one: number; all: number }];
    expect(measured.length).toBeGreaterThan(1);
    for (const { one, all } of measured) {
      expect(one).toBeGreaterThan(0);
      expect(all).toBeGreaterThan(0);
    }
  });
});
