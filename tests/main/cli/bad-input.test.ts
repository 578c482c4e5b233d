// Bad input gives its code and message, exit 1, and leaves nothing half-written.
import Database from 'better-sqlite3';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { RecipeInput } from '../../../shared/recipe.ts';
import { errorCode, eventsOf, lastEvent, namesake, type CliResult } from '../../support/cli.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';
import { tinyModel, tinyProbes, tinyRows, writeJsonLines, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

function trainWith(home: string, change: Partial<RecipeInput>, env: Record<string, string> = {}): Promise<CliResult> {
  return namesake(['train', writeRecipe(home, change), '--json'], { home, env });
}

describe('recipes', () => {
  it.each<[string, string, string]>([
    ['recipe.unreadable', 'text', 'steps: 60'],
    ['recipe.unreadable', 'half of one', '{"version": 1, "steps"'],
    ['recipe.invalid', 'a list', '[]'],
    ['recipe.invalid', 'an unknown field', '{"stepz": 5, "data": {"persona": {"owner": "a", "name": "b"}}}'],
  ])('%s for %s, before there is a run', async (code, _, text) => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'recipe.json'), text);
    expect(errorCode(await namesake(['train', join(home, 'recipe.json'), '--json'], { home }))).toBe(code);
    expect(existsSync(join(home, 'runs'))).toBe(false);
    expect((await namesake(['runs', 'list', '--json'], { home })).events).toEqual([]);
  });

  it.each<[string, Partial<RecipeInput>]>([
    ['recipe.unsupported', { method: { kind: 'full' } }],
    ['recipe.unsupported', { method: { dropout: 0.1 } }],
  ])('%s for what comes later: %j', async (code, change) => {
    const home = temporaryFolder();
    expect(errorCode(await trainWith(home, change))).toBe(code);
    expect(existsSync(join(home, 'runs'))).toBe(false);
  });

  it('a graphics card that is not there, before there is a run: why, in words', async () => {
    const home = temporaryFolder();
    // Hides the cards of a machine that has some.
    const result = await trainWith(home, { device: 'cuda' }, { CUDA_VISIBLE_DEVICES: '', LC_ALL: 'zh_CN.UTF-8' });
    expect(errorCode(result)).toMatch(/^gpu\.no_(driver|card)$/);
    expect(result.events.at(-1)?.['message']).toMatch(/NVIDIA.*处理器/);
    expect(existsSync(join(home, 'runs'))).toBe(false);
    expect((await namesake(['runs', 'list', '--json'], { home })).events).toEqual([]);
  });

  it('a file that is not there', async () => {
    const home = temporaryFolder();
    expect(errorCode(await namesake(['train', 'none.json', '--json'], { home }))).toBe('recipe.unreadable');
    expect(errorCode(await namesake(['inspect', 'rows', '--recipe', 'none.json', '--json'], { home }))).toBe('recipe.unreadable');
  });
});

/** A run that begins and fails: it is on record with its code, and its folder holds nothing but what is whole. */
async function expectFailed(home: string, result: CliResult, code: string): Promise<void> {
  expect(errorCode(result)).toBe(code);
  expect(result.events[0]).toMatchObject({ event: 'run' });
  const run = String(result.events[0]?.['run']);
  expect(lastEvent(await namesake(['runs', 'show', run, '--json'], { home }))).toMatchObject({ status: 'failed', error: code });
  for (const name of readdirSync(join(home, 'runs', run), { recursive: true })) expect(String(name)).not.toMatch(/tmp|temp|part/);
  expect(readdirSync(join(home, 'runs', run, 'checkpoints'))).toEqual([]);
  expect(existsSync(join(home, 'trainer.lock'))).toBe(false);
}

describe('rows', () => {
  const assistant = { role: 'assistant', content: 'a' };
  it.each<[string, string, string]>([
    ['rows.invalid', 'no JSON', '{"messages":[{"role":"user"'],
    ['rows.invalid', 'no assistant', '{"messages":[{"role":"user","content":"q"}]}'],
    ['rows.invalid', 'an unknown role', '{"messages":[{"role":"tool","content":"q"},{"role":"assistant","content":"a"}]}'],
    ['rows.invalid', 'loss on the user', '{"messages":[{"role":"user","content":"q","loss":true},{"role":"assistant","content":"a"}]}'],
    ['rows.invalid', 'a list of numbers', '[1, 2]'],
    ['rows.empty', 'an empty file', '\n'],
    ['rows.empty', 'rows without a learnt word', JSON.stringify({ messages: [{ role: 'user', content: 'q' }, { ...assistant, loss: false }] })],
    ['rows.too_long', 'a row over max_length', JSON.stringify({ messages: [{ role: 'user', content: 'q'.repeat(300) }, assistant] })],
  ])('%s for %s', async (code, _, text) => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'bad.jsonl'), text);
    await expectFailed(home, await trainWith(home, { data: { source: join(home, 'bad.jsonl'), max_length: 256 } }), code);
  });

  it('names the line', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'bad.jsonl'), `${JSON.stringify(tinyRows[0])}\n\n{"messages":3}\n`);
    const result = await trainWith(home, { data: { source: join(home, 'bad.jsonl'), max_length: 256 } });
    expect(errorCode(result)).toBe('rows.invalid');
    expect(result.events.at(-1)?.['message']).toContain('Row 3');
  });

  it('rows.unreadable for a file that is not there', async () => {
    const home = temporaryFolder();
    await expectFailed(home, await trainWith(home, { data: { source: join(home, 'none.jsonl'), max_length: 256 } }), 'rows.unreadable');
  });

  const row = { input_ids: [[1, 2, 3]], labels: [[-100, 2, 3]], attention_mask: [[1, 1, 1]] };
  it.each<[string, string, unknown]>([
    ['rows.invalid', 'an object', {}],
    ['rows.invalid', 'no batches', []],
    ['rows.invalid', 'rows of other lengths', [{ ...row, labels: [[-100, 2]] }]],
    ['rows.invalid', 'an id below zero', [{ ...row, input_ids: [[1, -2, 3]] }]],
    ['rows.invalid', 'an id that the model lacks', [{ ...row, input_ids: [[1, 5000, 3]] }]],
    ['rows.invalid', 'a label that the model lacks', [{ ...row, labels: [[-100, 2, 5000]] }]],
    ['rows.invalid', 'a label behind the mask', [{ ...row, attention_mask: [[1, 0, 0]] }]],
    ['rows.empty', 'no label', [{ ...row, labels: [[-100, -100, -100]] }]],
  ])('%s for token batches with %s', async (code, _, batches) => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'batches.json'), JSON.stringify(batches));
    await expectFailed(home, await trainWith(home, { data: { source: join(home, 'batches.json'), format: 'tokens' } }), code);
  });
});

describe('probes files', () => {
  const persona = { owner: 'A', name: 'B' };
  it.each<[string, string]>([
    ['no JSON', 'what'],
    ['no questions', '{}'],
    ['no texts', JSON.stringify({ en: { ...tinyProbes.en, texts: [] } })],
    ['an unknown language', JSON.stringify({ fr: tinyProbes.en })],
    ['other languages than the persona’s', JSON.stringify({ zh: tinyProbes.en })],
  ])('with %s are questions.invalid', async (_, text) => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'probes.json'), text);
    const data = { source: writeJsonLines(join(home, 'rows.jsonl'), tinyRows), max_length: 256, persona: { ...persona, languages: ['en' as const] } };
    await expectFailed(home, await trainWith(home, { data, evaluate: { questions: join(home, 'probes.json') } }), 'questions.invalid');
  });
});

describe('adapters to start from', () => {
  it.each<[string, string, Record<string, string>]>([
    ['adapter.unreadable', 'nothing', {}],
    ['adapter.unreadable', 'no weights', { 'adapter_config.json': readFileSync(fixture('golden/tiny-llama/adapter/adapter_config.json'), 'utf8') }],
    ['adapter.invalid', 'a configuration that is none', { 'adapter_config.json': 'what' }],
  ])('%s for %s', async (code, _, files) => {
    const home = temporaryFolder();
    const folder = join(home, 'adapter');
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    await expectFailed(home, await trainWith(home, { method: { rank: 4, alpha: 8, init_adapter: folder } }), code);
  });

  it('adapter.mismatch for one of layers that the model lacks', async () => {
    const home = temporaryFolder();
    const folder = join(home, 'adapter');
    cpSync(fixture('golden/tiny-llama/adapter'), folder, { recursive: true });
    const config = join(folder, 'adapter_config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"layers_to_transform": null', '"layers_to_transform": [99]'));
    await expectFailed(home, await trainWith(home, { method: { rank: 4, alpha: 8, init_adapter: folder } }), 'adapter.mismatch');
  });

  it('adapter.mismatch for one of another model', async () => {
    const home = temporaryFolder();
    await expectFailed(home, await trainWith(home, { method: { rank: 4, alpha: 8, init_adapter: fixture('golden/tiny-llama-tied/adapter') } }), 'adapter.mismatch');
  });
});

it('training that diverges is training.diverged, and no broken adapter is kept', async () => {
  const home = temporaryFolder();
  const folder = join(home, 'huge');
  mkdirSync(folder);
  writeFileSync(join(folder, 'adapter_config.json'), readFileSync(fixture('golden/tiny-llama/adapter/adapter_config.json')));
  const weights = readFileSync(fixture('golden/tiny-llama/adapter/adapter_model.safetensors'));
  // Finite numbers whose products are not.
  for (let at = 8 + Number(weights.readBigUInt64LE()); at < weights.length; at += 4) weights.writeFloatLE(1e30, at);
  writeFileSync(join(folder, 'adapter_model.safetensors'), weights);
  const result = await trainWith(home, { method: { rank: 4, alpha: 8, init_adapter: folder }, checkpoint: { every_steps: 1 } });
  await expectFailed(home, result, 'training.diverged');
  expect(eventsOf(result, 'step')).toEqual([]);
});

describe('the machine', () => {
  it('an addon that is missing is engine.missing', async () => {
    const home = temporaryFolder();
    await expectFailed(home, await trainWith(home, {}, { NAMESAKE_ADDON: join(home, 'none.node') }), 'engine.missing');
  });

  it('an instruction set that is missing is isa.unsupported', async () => {
    const home = temporaryFolder();
    await expectFailed(home, await trainWith(home, {}, { NAMESAKE_ISA: process.arch === 'x64' ? 'neon' : 'avx512' }), 'isa.unsupported');
  });
});

describe('the home', () => {
  it('with a newer database is home.newer, whatever is asked', async () => {
    const home = temporaryFolder();
    await namesake(['runs', 'list', '--json'], { home });
    const db = new Database(join(home, 'namesake.db'));
    db.pragma('user_version = 999');
    db.close();
    expect(errorCode(await namesake(['runs', 'list', '--json'], { home }))).toBe('home.newer');
    expect(errorCode(await trainWith(home, {}))).toBe('home.newer');
    expect(existsSync(join(home, 'runs'))).toBe(false);
  });

  it('that is a file is disk.unwritable', async () => {
    const folder = temporaryFolder();
    const home = join(folder, 'home');
    writeFileSync(home, 'a file');
    for (const args of [['runs', 'list'], ['make', '--owner', 'A', '--name', 'B', '--model', tinyModel]]) {
      expect(errorCode(await namesake([...args, '--json'], { home }))).toBe('disk.unwritable');
    }
    expect(readFileSync(home, 'utf8')).toBe('a file');
  });

  it('whose runs are a file is disk.unwritable, and there is no run', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'runs'), '');
    expect(errorCode(await trainWith(home, {}))).toBe('disk.unwritable');
    expect((await namesake(['runs', 'list', '--json'], { home })).events).toEqual([]);
    expect(existsSync(join(home, 'trainer.lock'))).toBe(false);
  });
});

describe('a full disk', () => {
  /** Everything in a folder, as text. */
  const contents = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String).sort();

  it.for([200, 256, 300, 400, 600])('of %i kB is disk.full, and nothing is left half-written', async (kilobytes, { skip }) => {
    const disk = mountSmallDisk(kilobytes);
    if (disk === null) return skip('no tmpfs can be mounted here');
    const elsewhere = temporaryFolder();
    const home = join(disk, 'home');
    const result = await namesake(['train', writeRecipe(elsewhere, { steps: 200, checkpoint: { every_steps: 1, keep: 1000 } }), '--json'], { home });
    expect(errorCode(result)).toBe('disk.full');
    const runs = join(home, 'runs');
    if (!existsSync(runs)) return;
    for (const run of readdirSync(runs)) {
      expect(contents(join(runs, run)).filter((name) => /tmp|temp|part/.test(name))).toEqual([]);
      for (const step of readdirSync(join(runs, run, 'checkpoints'))) {
        expect(readdirSync(join(runs, run, 'checkpoints', step)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'optimizer.safetensors', 'trainer_state.json']);
      }
    }
  });

  it('keeps the checkpoints before, from which the run goes on once there is room', async ({ skip }) => {
    const disk = mountSmallDisk(1500);
    if (disk === null) return skip('no tmpfs can be mounted here');
    const elsewhere = temporaryFolder();
    const home = join(disk, 'home');
    const change: Partial<RecipeInput> = { steps: 12, checkpoint: { every_steps: 2, keep: 1 } };
    const whole = await namesake(['train', writeRecipe(elsewhere, change), '--json'], { home: elsewhere });
    lastEvent(whole);

    let filled = false;
    const filler = join(disk, 'filler');
    const result = await namesake(['train', writeRecipe(elsewhere, { ...change, accumulate: 1 }), '--json'], {
      home,
      onEvent: (event) => {
        if (filled || event.event !== 'step' || event['step'] !== 3) return;
        filled = true;
        // All that is left of the disk.
        for (const size of [65536, 4096, 512]) {
          try {
            for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
          } catch {
            // Full at this size: the rest goes in smaller pieces.
          }
        }
      },
    });
    expect(errorCode(result)).toBe('disk.full');
    const run = String(result.events[0]?.['run']);
    const kept = readdirSync(join(home, 'runs', run, 'checkpoints'));
    expect(kept.length).toBeGreaterThan(0);
    writeFileSync(filler, '');
    const list = await namesake(['runs', 'list', '--json'], { home });
    expect(list.events).toMatchObject([{ run, status: expect.stringMatching(/^(failed|interrupted)$/) as unknown }]);
    const resumed = await namesake(['runs', 'resume', run, '--json'], { home });
    expect(lastEvent(resumed)).toMatchObject({ steps: 12 });
    const adapter = (result: CliResult): Buffer => readFileSync(join(String(lastEvent(result)['adapter']), 'adapter_model.safetensors'));
    expect(adapter(resumed)).toEqual(adapter(whole));
  });
});
