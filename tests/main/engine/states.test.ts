// Every method in every state: what a closed and a busy engine do with each call.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type EngineProcess } from '../../../main/engine/client.ts';
import type { HostApi } from '../../../main/engine/protocol.ts';
import { ask, batchOf, codeOf, conversation, endless, memoryQuestion, openOptions, openTiny, tinyModel, trainerOptions } from './tiny.ts';

const batch = batchOf({ ids: [1, 2, 3], labels: [-100, 2, 3], pieces: [] });

/** Each method: how it is called, and its outcome without a model, without a trainer, and while a job runs. */
const methods: Record<keyof HostApi, [(engine: EngineProcess, folder: string) => Promise<unknown>, string, string, string]> = {
  about: [(engine) => engine.about(), 'resolved', 'resolved', 'resolved'],
  gpus: [(engine) => engine.gpus(), 'resolved', 'resolved', 'resolved'],
  open: [(engine) => engine.open(openOptions), 'resolved', 'resolved', 'engine.busy'],
  close: [(engine) => engine.close(), 'resolved', 'resolved', 'resolved'],
  tokenize: [(engine) => engine.tokenize([conversation], null), 'engine.closed', 'resolved', 'engine.busy'],
  encode: [(engine) => engine.encode('a'), 'engine.closed', 'resolved', 'resolved'],
  specials: [(engine) => engine.specials(), 'engine.closed', 'resolved', 'resolved'],
  stops: [(engine) => engine.stops(), 'engine.closed', 'resolved', 'resolved'],
  render: [(engine) => engine.render(conversation, false), 'engine.closed', 'resolved', 'resolved'],
  promptLengths: [(engine) => engine.promptLengths([conversation]), 'engine.closed', 'resolved', 'resolved'],
  shape: [(engine) => engine.shape(tinyModel), 'resolved', 'resolved', 'resolved'],
  planMemory: [(engine) => engine.planMemory(tinyModel, memoryQuestion), 'resolved', 'resolved', 'resolved'],
  measurePeak: [(engine) => engine.measurePeak({ isas: ['auto'], f32_products: false, memory: false, threads: 1, seconds: 0 }), 'resolved', 'resolved', 'engine.busy'],
  createTrainer: [(engine) => engine.createTrainer(trainerOptions), 'engine.closed', 'resolved', 'engine.busy'],
  step: [(engine) => engine.step([batch]), 'engine.closed', 'engine.closed', 'engine.busy'],
  saveCheckpoint: [(engine, folder) => engine.saveCheckpoint(join(folder, 'c')), 'engine.closed', 'engine.closed', 'engine.busy'],
  loadCheckpoint: [(engine, folder) => engine.loadCheckpoint(join(folder, 'd')), 'engine.closed', 'engine.closed', 'engine.busy'],
  useAdapter: [(engine) => engine.useAdapter({ kind: 'none' }), 'engine.closed', 'resolved', 'engine.busy'],
  generate: [(engine) => engine.generate('second', [ask('a', 1)]), 'engine.closed', 'resolved', 'engine.busy'],
  score: [(engine) => engine.score([batch]), 'engine.closed', 'resolved', 'engine.busy'],
  logits: [(engine) => engine.logits([1]), 'engine.closed', 'resolved', 'engine.busy'],
  cancel: [(engine) => engine.cancel(), 'resolved', 'resolved', 'resolved'],
};
const cases = Object.entries(methods);

let folder: string;
let engine: EngineProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'namesake-states-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('without a model', () => {
  beforeAll(() => {
    engine = startEngine({ priority: 'normal' });
  });
  afterEach(() => engine.close());
  afterAll(() => engine.dispose());

  test.each(cases)('%s', async (_, [call, closed]) => {
    expect(await codeOf(call(engine, folder))).toBe(closed);
  });
});

describe('without a trainer', () => {
  beforeAll(async () => {
    engine = await openTiny();
  });
  afterEach(() => engine.open(openOptions));
  afterAll(() => engine.dispose());

  test.each(cases)('%s', async (_, [call, , untrained]) => {
    expect(await codeOf(call(engine, folder))).toBe(untrained);
  });

  test('the trainer’s adapter', async () => {
    expect(await codeOf(engine.useAdapter({ kind: 'trainer' }))).toBe('engine.closed');
  });
});

describe('without a model', () => {
  test('measuring the processor is cancelled like a step', async () => {
    const engine = startEngine({ priority: 'normal' });
    try {
      await engine.about();
      const measured = codeOf(engine.measurePeak({ isas: ['auto'], f32_products: false, memory: false, threads: 1, seconds: 3600 }));
      expect(await codeOf(engine.open(openOptions))).toBe('engine.busy');
      await engine.cancel();
      expect(await measured).toBe('cancelled');
    } finally {
      await engine.dispose();
    }
  });
});

describe('while a job runs', () => {
  beforeAll(async () => {
    engine = await openTiny();
  });
  afterAll(() => engine.dispose());

  test.each(cases)('%s', async (name, [call, , , busy]) => {
    await engine.open(openOptions);
    await engine.createTrainer(trainerOptions);
    const started = new Promise<void>((resolve) => {
      const stop = engine.onText(() => {
        stop();
        resolve();
      });
    });
    const job = engine.generate('long', endless);
    await started;
    expect(await codeOf(call(engine, folder))).toBe(busy);
    // Whatever was asked for meanwhile, the job goes on until it is cancelled; close and cancel do just that.
    if (name !== 'close' && name !== 'cancel') await engine.cancel();
    const { answers } = await job;
    expect(answers.at(-1)?.stop).toBe('cancelled');
  });
});
