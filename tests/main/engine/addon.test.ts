// The native objects themselves, loaded into this process: states, lifetimes, memory.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { greedy } from '../../../shared/chat.ts';
import { addonPlaces, loadAddon } from '../../../main/engine/binding.ts';
import type { Adapter, Generator, Model, NativeError, NativeMemoryOptions, NativeRequest, NativeTrainerOptions, Trainer } from '../../../main/engine/native.d.ts';
import { batchOf, openOptions, tinyModel, trainerOptions } from './tiny.ts';

const { addon, path: addonPath } = loadAddon();
const { betas, base_model, clip, ...rest } = trainerOptions;
const nativeOptions: NativeTrainerOptions = { ...rest, beta1: betas[0], beta2: betas[1], clip: clip ?? 0 };
const batch = batchOf({ ids: [1, 2, 3], labels: [-100, 2, 3], pieces: [] });
const request = (max_tokens: number): NativeRequest => ({
  prompt: Int32Array.of(1, 2, 3),
  stop: new Int32Array(),
  max_tokens,
  sampling: greedy,
  adapter: true,
});
const endlessRequests = Array.from({ length: 5000 }, () => request(400));

const openModel = async (): Promise<Model> => (await addon.openModel(tinyModel, openOptions)).model;

/** How a call ends: "ok", or the code of its error, thrown or rejected. */
async function outcome(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'ok';
  } catch (error) {
    return (error as NativeError).code;
  }
}

const planOptions: NativeMemoryOptions = {
  ...{ precision: 'as-stored', device: 'cpu', threads: 2, isa: 'auto', rank: 4, layers: null, state_bits: 32, activation_bits: 32, batch_tokens: 256, packed_tokens: null, recompute: false },
  ...{ slots: 2, answer_tokens: 64, score_tokens: 64, process: 0 },
};

describe('plans of models by their shapes', () => {
  test.each(['tiny-llama3', 'tiny-qwen2', 'tiny-qwen3', 'tiny-internlm2'])('%s: what a step takes is that of the file, however much of the shape is said', async (name) => {
    const path = fileURLToPath(new URL(`../../fixtures/${name}.gguf`, import.meta.url));
    const shape = await addon.modelShape(path);
    const bare = Object.fromEntries(Object.entries(shape).filter(([key]) => !['family', 'qkv_bias', 'qk_norm', 'fused_qkv'].includes(key))) as typeof shape;
    const fromFile = await addon.planMemory(path, planOptions);
    for (const said of [shape, bare]) {
      const { adapter, gradients, optimizer, activations, scratch, between_steps } = await addon.planMemory(said, planOptions);
      expect(fromFile).toMatchObject({ adapter, gradients, optimizer, activations, scratch, between_steps });
    }
  });

  test('the options count: norms of heads keep more, a fused layer has one adapter', async () => {
    const shape = await addon.modelShape(tinyModel);
    const plain = await addon.planMemory(shape, planOptions);
    const normed = await addon.planMemory({ ...shape, qk_norm: true }, planOptions);
    const fused = await addon.planMemory({ ...shape, fused_qkv: true }, planOptions);
    expect(normed.activations).toBeGreaterThan(plain.activations);
    expect(fused.adapter).toBeLessThan(plain.adapter);
    expect(await outcome(() => addon.planMemory({ ...shape, family: undefined, architecture: 'gemma2' }, planOptions))).toBe('model.unknown_architecture');
  });
});

interface Handles {
  model: Model;
  trainer: Trainer;
  generator: Generator;
  adapter: Adapter;
}

async function openAll(): Promise<Handles> {
  const model = await openModel();
  const trainer = await model.createTrainer(nativeOptions);
  const generator = await model.createGenerator(2, trainer.adapter, 'alone');
  const checkpoint = join(folder, `checkpoint-${made++}`);
  await trainer.save(checkpoint, base_model);
  return { model, trainer, generator, adapter: await model.loadAdapter(checkpoint) };
}

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'namesake-addon-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Every method, with its outcome once its own object is closed. */
const calls: Record<string, [(handles: Handles) => unknown, (handles: Handles) => void, string]> = {
  'model.createTrainer': [({ model }) => model.createTrainer(nativeOptions), ({ model }) => model.close(), 'engine.closed'],
  'model.createGenerator': [({ model }) => model.createGenerator(1, null, 'alone'), ({ model }) => model.close(), 'engine.closed'],
  'model.loadAdapter': [({ model }) => model.loadAdapter(folder), ({ model }) => model.close(), 'engine.closed'],
  'model.score': [({ model }) => model.score([batch], null), ({ model }) => model.close(), 'engine.closed'],
  'model.logits': [({ model }) => model.logits(Int32Array.of(1), null), ({ model }) => model.close(), 'engine.closed'],
  'model.cancel': [({ model }) => model.cancel(), ({ model }) => model.close(), 'ok'],
  'model.close': [({ model }) => model.close(), ({ model }) => model.close(), 'ok'],
  'trainer.step': [({ trainer }) => trainer.step([batch]), ({ trainer }) => trainer.close(), 'engine.closed'],
  'trainer.save': [({ trainer }) => trainer.save(join(folder, 'no'), 'x'), ({ trainer }) => trainer.close(), 'engine.closed'],
  'trainer.load': [({ trainer }) => trainer.load(join(folder, 'no')), ({ trainer }) => trainer.close(), 'engine.closed'],
  'trainer.close': [({ trainer }) => trainer.close(), ({ trainer }) => trainer.close(), 'ok'],
  'generator.run': [({ generator }) => generator.run([], () => undefined), ({ generator }) => generator.close(), 'engine.closed'],
  'generator.close': [({ generator }) => generator.close(), ({ generator }) => generator.close(), 'ok'],
  'adapter as an argument': [
    ({ model, adapter }) => model.logits(Int32Array.of(1), adapter),
    ({ adapter }) => adapter.close(),
    'engine.closed',
  ],
  'adapter.close': [({ adapter }) => adapter.close(), ({ adapter }) => adapter.close(), 'ok'],
};

describe.each(Object.entries(calls))('%s', (name, [call, close, closed]) => {
  test('when its object is closed', async () => {
    const handles = await openAll();
    close(handles);
    expect(await outcome(() => call(handles))).toBe(closed);
    handles.model.close();
  });

  test('when its model is closed', async () => {
    const handles = await openAll();
    handles.model.close();
    expect(await outcome(() => call(handles))).toBe(name.endsWith('.close') || name === 'model.cancel' ? 'ok' : 'engine.closed');
  });

  test('while a job runs', async () => {
    const handles = await openAll();
    const job = handles.generator.run(endlessRequests, () => undefined);
    expect(await outcome(() => call(handles))).toBe(name === 'model.cancel' ? 'ok' : 'engine.busy');
    handles.model.cancel();
    const { results } = await job;
    expect(results.at(-1)?.reason).toBe('cancelled');
    handles.model.close();
  });
});

describe('arguments', () => {
  test('objects of another kind or another model are refused', async () => {
    const [one, two] = [await openAll(), await openAll()];
    const other = { close: () => undefined } as unknown as Adapter;
    for (const adapter of [other, two.adapter, one.trainer as unknown as Adapter]) {
      expect(await outcome(() => one.model.logits(Int32Array.of(1), adapter))).toBe('internal');
    }
    expect(() => Reflect.construct(one.model.constructor as new () => Model, [])).toThrow(TypeError);
    expect(() => Reflect.construct(one.trainer.constructor as new () => Trainer, [{}])).toThrow(TypeError);
    expect(() => Reflect.apply(one.model.cancel, one.trainer, [])).toThrow(TypeError);
    one.model.close();
    two.model.close();
  });

  test('fields of another type are refused with their name', async () => {
    const { model, trainer, generator } = await openAll();
    const wrong = (promise: Promise<unknown>) => promise.catch((error: unknown) => (error as NativeError).detail);
    expect(await wrong(trainer.step([{ ...batch, labels: new Float32Array(3) as unknown as Int32Array }]))).toBe(
      'batch.labels is not an Int32Array',
    );
    expect(await wrong(model.createTrainer({ ...nativeOptions, rank: 1.5 }))).toBe('options.rank is not a whole number');
    expect(await wrong(model.createTrainer({ ...nativeOptions, layers: 0.5 }))).toBe('options.layers is not a whole number');
    expect(await wrong(generator.run([{ ...request(1), sampling: null as never }], () => undefined))).toBe(
      'request.sampling is not an object',
    );
    expect(await wrong(addon.openModel(tinyModel, null as never))).toBe('options is not an object');
    model.close();
  });
});

describe('tokens', () => {
  test('all of them come before the answer does', async () => {
    const { model, generator } = await openAll();
    for (let i = 0; i < 50; i++) {
      const told: number[] = [];
      const { results } = await generator.run([request(1 + (i % 7))], (_, token) => told.push(token));
      expect(told).toEqual([...(results[0]?.tokens ?? [])]);
    }
    model.close();
  });
});

describe('memory', () => {
  test('50 times opened, used and closed take no more memory', async () => {
    const cycle = async (): Promise<void> => {
      // In f32 so that each cycle holds memory of its own beside the mapped file.
      const { model } = await addon.openModel(tinyModel, { ...openOptions, precision: 'f32' });
      const trainer = await model.createTrainer(nativeOptions);
      await trainer.step([batch]);
      const generator = await model.createGenerator(8, trainer.adapter, 'alone');
      await generator.run([request(4)], () => undefined);
      model.close();
    };
    for (let i = 0; i < 10; i++) await cycle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 50; i++) await cycle();
    const grown = process.memoryUsage.rss() - before;
    // One cycle holds 0.8 MB: a leak of it would be 40 MB. What grew was 2.6 MB or less.
    expect(grown).toBeLessThan(15e6);
  });

  test('a worker that ends while a job runs waits for it and ends alone', async () => {
    const code = `
      const { parentPort, workerData: { addon, model, options, requests } } = require('node:worker_threads');
      require(addon).openModel(model, options).then(async ({ model }) => {
        const generator = await model.createGenerator(2, null, 'alone');
        generator.run(requests, () => parentPort.postMessage('running'));
      });`;
    // Some tenths of a second.
    const requests = endlessRequests.slice(0, 20);
    const workerData = { addon: addonPath, model: tinyModel, options: openOptions, requests };
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(code, { eval: true, workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      await worker.terminate();
    }
    const model = await openModel();
    expect(await model.logits(Int32Array.of(1), null)).toHaveLength(323);
    model.close();
  });
});

describe('places', () => {
  test('where NAMESAKE_ADDON says, and nowhere else; otherwise beside out/, then where a checkout builds', () => {
    expect(addonPlaces(import.meta.dirname, { NAMESAKE_ADDON: '/x/y.node' })).toEqual(['/x/y.node']);
    const root = join(import.meta.dirname, '..', '..', '..');
    expect(addonPlaces(import.meta.dirname, {})).toEqual([
      join(root, 'namesake.node'),
      join(root, 'native', 'build', 'release', 'namesake.node'),
    ]);
  });
});
