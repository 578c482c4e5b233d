import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { fixture, readJson, readLines, temporaryFolder } from '../../support/files.ts';
import { largestDifference, readTensor } from '../../support/safetensors.ts';
import { goldenRecipe, tinyModel, tinyRows, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 120_000 });

const CHECKPOINT = ['adapter_config.json', 'adapter_model.safetensors', 'optimizer.safetensors', 'trainer_state.json'];

describe('train', () => {
  it('tells every step and leaves a run folder', async () => {
    const home = temporaryFolder();
    const result = await namesake(['train', writeRecipe(home), '--json'], { home });
    const last = lastEvent(result);
    const run = String(result.events[0]?.['run']);
    const folder = join(home, 'runs', run);
    expect(result.events[0]).toEqual({ event: 'run', run });
    expect(Object.keys(last)).toEqual(['event', 'run', 'adapter', 'steps', 'tokens', 'chosen_step', 'right', 'scores']);
    expect(last).toMatchObject({ event: 'result', run, adapter: join(folder, 'adapter'), steps: 6, chosen_step: 6, right: null, scores: null });

    const steps = eventsOf(result, 'step');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const step of steps) {
      expect(Object.keys(step)).toEqual(['event', 'step', 'loss', 'grad_norm', 'lr', 'tokens', 'tokens_per_second', 'eta_seconds']);
      for (const [key, value] of Object.entries(step)) if (key !== 'event') expect(value, key).toEqual(expect.any(Number));
      expect(step['tokens']).toBeLessThanOrEqual(256);
    }
    expect(steps.map(({ lr }) => Number(lr).toPrecision(6))).toEqual(['0.00500000', ...Array<string>(5).fill('0.0100000')]);
    expect(Number(steps[5]?.['loss'])).toBeLessThan(Number(steps[0]?.['loss']));
    expect(steps.at(-1)?.['eta_seconds']).toBe(0);
    expect(last['tokens']).toBe(steps.reduce((sum, step) => sum + Number(step['tokens']), 0));

    expect(readdirSync(folder).sort()).toEqual(['adapter', 'checkpoints', 'provenance.json', 'recipe.json', 'rows.jsonl', 'tokens.bin']);
    expect(readdirSync(join(folder, 'checkpoints')).sort()).toEqual(['step-000002', 'step-000004', 'step-000006']);
    for (const step of readdirSync(join(folder, 'checkpoints'))) {
      expect(readdirSync(join(folder, 'checkpoints', step)).sort()).toEqual(CHECKPOINT);
    }
    expect(readdirSync(join(folder, 'adapter')).sort()).toEqual(CHECKPOINT.slice(0, 2));
    for (const name of CHECKPOINT.slice(0, 2)) {
      expect(readFileSync(join(folder, 'adapter', name))).toEqual(readFileSync(join(folder, 'checkpoints/step-000006', name)));
    }
    expect(readLines<(typeof tinyRows)[number]>(join(folder, 'rows.jsonl')).map(({ messages }) => messages)).toEqual(
      tinyRows.map(({ messages }) => messages),
    );
    expect(readJson(join(folder, 'provenance.json'))).toMatchObject({
      model: { ref: tinyModel, file: tinyModel, architecture: 'llama' },
      engine: { backend: 'cpu', precision: 'as-stored' },
      seed: 42,
    });
    expect(readJson(join(folder, 'recipe.json'))).toMatchObject({ version: 1, steps: 6, seed: 42, method: { rank: 4, dropout: 0 } });
    expect(existsSync(join(home, 'trainer.lock'))).toBe(false);

    const list = await namesake(['runs', 'list', '--json'], { home });
    expect(list.events).toEqual([{ event: 'run', run, name: 'tiny', status: 'done', step: 6, steps: 6 }]);
    const show = lastEvent(await namesake(['runs', 'show', run, '--json'], { home }));
    expect(show).toMatchObject({ event: 'result', run, status: 'done', step: 6, steps: 6, chosen_step: 6, folder, error: null });
    expect(show['metrics']).toMatchObject(steps.map(({ step, loss, grad_norm }) => ({ step, loss, grad_norm })));
  });

  it('keeps a recipe’s meaning wherever it was started: paths become absolute, --set wins', async () => {
    const home = temporaryFolder();
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'm.gguf'), readFileSync(tinyModel));
    writeRecipe(cwd, { name: 'before', model: { ref: 'm.gguf' }, data: { source: 'rows-in.jsonl', max_length: 128 } });
    const result = await namesake(
      ['train', 'recipe.json', '--set', 'steps=2', '--json', '--set', 'name=after', '--set', 'data.max_length=200', '--set', 'checkpoint=null'],
      { home, cwd },
    );
    const run = String(lastEvent(result)['run']);
    const recipe = readJson(join(home, 'runs', run, 'recipe.json'));
    expect(recipe).toMatchObject({
      name: 'after',
      steps: 2,
      checkpoint: null,
      model: { ref: join(cwd, 'm.gguf') },
      data: { source: join(cwd, 'rows-in.jsonl'), max_length: 200 },
    });
    expect(readdirSync(join(home, 'runs', run, 'checkpoints'))).toEqual(['step-000002']);
  });

  it('starts from an adapter, draws every row once an epoch, and sums micro-batches', async () => {
    const home = temporaryFolder();
    const first = lastEvent(await namesake(['train', writeRecipe(home, { steps: 2 }), '--json'], { home }));
    const adapter = String(first['adapter']);
    expect(isAbsolute(adapter)).toBe(true);
    const again = await namesake(
      ['train', writeRecipe(home, { epochs: 2, method: { rank: 4, alpha: 8, init_adapter: adapter } }), '--json', '--set', 'accumulate=2'],
      { home },
    );
    lastEvent(again);
    const steps = eventsOf(again, 'step');
    const trained = steps.reduce((sum, { tokens }) => sum + Number(tokens), 0);
    // Two epochs of the six rows, whose lengths are those of the run's own tokens.
    const tokens = await namesake(['inspect', 'tokens', '--recipe', writeRecipe(home), '--json'], { home });
    expect(trained).toBe(2 * eventsOf(tokens, 'tokens').reduce((sum, { ids }) => sum + (ids as number[]).length, 0));
    expect(steps.some((step) => Number(step['tokens']) > 256)).toBe(true);
  });

  it('counts the steps of its epochs for people', async () => {
    const home = temporaryFolder();
    const { stderr } = await namesake(['train', writeRecipe(home, { steps: 50, epochs: 1 })], { home });
    const records = eventsOf(await namesake(['runs', 'list', '--json'], { home }), 'run');
    expect(records).toMatchObject([{ status: 'done' }]);
    expect(Number(records[0]?.['steps'])).toBeLessThan(50);
    expect(stderr).toContain(`Step 1 of ${String(records[0]?.['steps'])}`);
  });

  it('says for people what --json says for scripts', async () => {
    const home = temporaryFolder();
    const result = await namesake(['train', writeRecipe(home)], { home });
    expect(result.code).toBe(0);
    const run = readdirSync(join(home, 'runs'))[0] ?? '';
    expect(result.stdout).toContain(join(home, 'runs', run, 'adapter'));
    expect(result.stdout).not.toContain('{');
    expect(result.stderr).toContain('Step 1 of 6');
    const shown = await namesake(['runs', 'show', run], { home });
    expect(shown.stdout).toContain('done  6/6');
  });
});

describe('format: tokens', () => {
  const golden = (name: string): number[] => [...readTensor(fixture('golden/tiny-llama/golden.safetensors'), name).values];

  it.each(['cpu', 'reference'])('on %s gives the losses and gradient norms of torch and peft', async (device) => {
    const home = temporaryFolder();
    const path = join(home, 'golden.json');
    writeFileSync(path, JSON.stringify(goldenRecipe));
    const result = await namesake(['train', path, '--set', `device=${device}`, '--json'], { home });
    lastEvent(result);
    const steps = eventsOf(result, 'step');
    // Measured: losses 2.9e-6, norms 2.7e-5, rates 2.3e-10.
    expect(largestDifference(steps.map(({ loss }) => Number(loss)), golden('losses'))).toBeLessThan(1e-4);
    expect(largestDifference(steps.map(({ grad_norm }) => Number(grad_norm)), golden('grad_norms'))).toBeLessThan(1e-3);
    expect(largestDifference(steps.map(({ lr }) => Number(lr)), golden('lrs'))).toBeLessThan(1e-8);
  });

  it('starts the list of batches again where it is shorter than the steps', async () => {
    const home = temporaryFolder();
    const path = join(home, 'short.json');
    const batches = readJson(fixture('golden/tiny-llama/batches.json')) as unknown[];
    writeFileSync(join(home, 'batches.json'), JSON.stringify(batches.slice(0, 3)));
    writeFileSync(path, JSON.stringify({ ...goldenRecipe, data: { source: join(home, 'batches.json'), format: 'tokens' }, steps: 7 }));
    const result = await namesake(['train', path, '--json'], { home });
    const tokens = eventsOf(result, 'step').map((step) => step['tokens']);
    expect(tokens).toHaveLength(7);
    expect(tokens.slice(3)).toEqual(tokens.slice(0, 4));
  });
});
