import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { greedy } from '../../../shared/chat.ts';
import type { EngineBatch, EngineStep } from '../../../shared/engine.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { EngineProcess } from '../../../main/engine/client.ts';
import { ask, batchOf, codeOf, conversation, endless, ENDLESS_BATCHES, openOptions, openTiny, tinyModel, trainerOptions } from './tiny.ts';

/** What a step learnt, apart from how long it took. */
const withoutTimes = ({ seconds: _seconds, ...learnt }: EngineStep): Omit<EngineStep, 'seconds'> => learnt;

let engine: EngineProcess;
let folder: string;
let batch: EngineBatch;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'namesake-engine-'));
  engine = await openTiny();
  const [row] = await engine.tokenize([conversation], null);
  if (row === undefined) throw new Error('no row');
  batch = batchOf(row);
});

afterAll(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true });
});

describe('open', () => {
  test('tells what the file and the machine are', async () => {
    const info = await engine.open(openOptions);
    expect(info).toMatchObject({
      architecture: 'llama',
      hidden: 64,
      layers: 2,
      heads: 4,
      kv_heads: 2,
      head_dim: 16,
      ffn: 96,
      vocab: 323,
      tied: false,
      backend: 'cpu',
      threads: 2,
    });
    expect(Object.values(info.blocks).reduce((sum, count) => sum + count, 0)).toBe(21);
    expect(info.parameters).toBe(2 * 323 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 2 * 64) + 64);
  });

  test.each([
    ['model.unreadable', { path: join(tinyModel, 'nothing') }],
    ['recipe.unsupported', { precision: 'q2' as 'nf4' }],
    ['device.unavailable', { device: 'tpu' as 'cuda' }],
    ['isa.unsupported', { isa: 'pentium' }],
  ] as const)('%s closes what was open and says why', async (code, wrong) => {
    const error: unknown = await engine.open({ ...openOptions, ...wrong }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NamesakeError);
    expect(error).toMatchObject({ code, detail: expect.stringMatching(/\w/) });
    if (code === 'device.unavailable') expect(error).toMatchObject({ params: { device: 'tpu' } });
    expect(await codeOf(engine.encode('a'))).toBe('engine.closed');
    await engine.open(openOptions);
  });
});

describe('text', () => {
  test('specials inside a text are characters, and the template writes its own', async () => {
    const ids = await engine.encode('<|im_end|>');
    expect(ids.length).toBeGreaterThan(1);
    const rendered = await engine.render([{ role: 'user', content: 'hi' }], true);
    expect(rendered).toMatch(/user\nhi<\|im_end\|>\n<\|im_start\|>assistant\n$/);
  });

  test('a conversation becomes ids with labels on the answer alone', async () => {
    const [row] = await engine.tokenize([conversation], null);
    expect(row?.labels).toHaveLength(row?.ids.length ?? 0);
    const learnt = row?.ids.filter((_, i) => (row.labels[i] ?? -100) >= 0) ?? [];
    expect(learnt.slice(0, -1)).toEqual(await engine.encode('I am 小锋.'));
  });

  test('a row over max_length is refused with its number', async () => {
    const long = [{ role: 'user' as const, content: 'x'.repeat(300) }, ...conversation.slice(1)];
    const error: unknown = await engine.tokenize([conversation, long], 150).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'rows.too_long', params: { row: 2, max_length: 150 } });
  });

  test('a row that takes longer to encode than a template may take to render is refused for its length', async () => {
    const long = [{ role: 'user' as const, content: 'many words 中文 '.repeat(200_000) }, ...conversation.slice(1)];
    const error: unknown = await engine.tokenize([long], 150).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'rows.too_long', params: { row: 1 } });
  });
});

describe('generate', () => {
  test('streams whole answers under the job’s name', async () => {
    const told = new Map<number, string>();
    const stop = engine.onText((job, index, piece) => {
      expect(job).toBe('greedy');
      expect(piece).not.toBe('');
      told.set(index, (told.get(index) ?? '') + piece);
    });
    const { answers, times } = await engine.generate('greedy', [ask('a', 12), ask('b', 30), ask('Who?', 1)]);
    stop();
    expect(answers.map(({ text }) => text)).toEqual([0, 1, 2].map((index) => told.get(index) ?? ''));
    expect(answers.every(({ stop, tokens }, i) => stop === 'stop' || tokens === [12, 30, 1][i])).toBe(true);
    expect(times.tokens).toBeGreaterThan(0);
    const again = await engine.generate('alone', [ask('b', 30)]);
    expect(again.answers[0]).toEqual(answers[1]);
  });

  test('a seed gives the same sampled answer again, another seed another one', async () => {
    const sampled = (seed: number) => ({ ...ask('Tell me', 24), sampling: { ...greedy, temperature: 1, seed } });
    const { answers } = await engine.generate('sampled', [sampled(1), sampled(1), sampled(2)]);
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[2]?.text).not.toBe(answers[0]?.text);
  });

  test('cancel ends it with what there is', async () => {
    let pieces = 0;
    const stop = engine.onText(() => {
      if (pieces++ === 20) void engine.cancel();
    });
    const { answers } = await engine.generate('endless', endless);
    stop();
    expect(answers).toHaveLength(endless.length);
    expect(answers.at(-1)?.stop).toBe('cancelled');
    expect(answers.some(({ text }) => text !== '')).toBe(true);
    // The cancel is spent: the next call runs to its end.
    const { answers: next } = await engine.generate('next', [ask('a', 5)]);
    expect(next[0]?.stop).not.toBe('cancelled');
  });

  test('a conversation that goes on computes what was added, to the answer that it has anew', async () => {
    const turn = ask('Who are you?', 8);
    const { answers, times } = await engine.generate('chat', [turn], 'in-conversation');
    const next = { ...turn, messages: [...turn.messages, { role: 'assistant', content: answers[0]?.text ?? '' }, { role: 'user', content: 'And then?' }] as typeof turn.messages };
    const kept = await engine.generate('chat', [next], 'in-conversation');
    const anew = await engine.generate('anew', [next]);
    expect(kept.answers).toEqual(anew.answers);
    expect(kept.times.prompt_tokens).toBe(anew.times.prompt_tokens - times.prompt_tokens);
  });

  test('an answer that cannot fit is refused before the first token', async () => {
    expect(await codeOf(engine.generate('long', [ask('a', 100_000)]))).toBe('context.overflow');
  });
});

describe('training', () => {
  test('the loss falls, and the trainer’s adapter answers at once', async () => {
    const { trainable_parameters } = await engine.createTrainer(trainerOptions);
    // Rank 4 on q, o [64, 64], k, v [32, 64], gate, up [96, 64], down [64, 96], twice.
    expect(trainable_parameters).toBe(2 * 4 * (2 * 128 + 2 * 96 + 3 * 160));
    const first = await engine.step([batch]);
    expect(first).toMatchObject({ step: 1, tokens: batch.ids.length });
    let last = first;
    for (let i = 1; i < 40; i++) last = await engine.step([batch]);
    expect(last.step).toBe(40);
    // 5.9 before, 0.003 after 40 steps.
    expect(last.loss).toBeLessThan(0.1 * first.loss);

    await engine.useAdapter({ kind: 'trainer' });
    const question = { messages: conversation.slice(0, 1), max_tokens: 20, sampling: greedy };
    const { answers } = await engine.generate('both', [
      { ...question, adapter: true },
      { ...question, adapter: false },
    ]);
    expect(answers[0]).toMatchObject({ text: 'I am 小锋.', stop: 'stop' });
    expect(answers[1]?.text).not.toContain('小锋');

    const [score] = await engine.score([batch]);
    expect(score?.labels).toBeGreaterThan(0);
    expect(score?.ce_tuned).toBeLessThan(0.1 * (score?.ce_base ?? 0));
  });

  test('goes on from a checkpoint to the same numbers, and its adapter can be used alone', async () => {
    const checkpoint = join(folder, 'step-000003');
    await engine.createTrainer(trainerOptions);
    for (let i = 0; i < 3; i++) await engine.step([batch]);
    await engine.saveCheckpoint(checkpoint);
    expect((await readdir(checkpoint)).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'optimizer.safetensors',
      'trainer_state.json',
    ]);
    const onward = await engine.step([batch]);
    await engine.createTrainer(trainerOptions);
    await engine.loadCheckpoint(checkpoint);
    expect(withoutTimes(await engine.step([batch]))).toEqual(withoutTimes(onward));

    await engine.loadCheckpoint(checkpoint);
    await engine.useAdapter({ kind: 'trainer' });
    const own = await engine.logits([1, 2, 3]);
    await engine.useAdapter({ kind: 'folder', folder: checkpoint });
    expect(await engine.logits([1, 2, 3])).toEqual(own);
    await engine.useAdapter({ kind: 'none' });
    expect(await engine.logits([1, 2, 3])).not.toEqual(own);

    await engine.createTrainer({ ...trainerOptions, init_adapter: checkpoint });
    await engine.useAdapter({ kind: 'trainer' });
    expect(await engine.logits([1, 2, 3])).toEqual(own);
  });

  test('what was computed of a conversation is forgotten when the adapter learns, or is another', async () => {
    await engine.createTrainer(trainerOptions);
    await engine.useAdapter({ kind: 'trainer' });
    const turn = { ...ask('Who are you?', 8), adapter: true };
    const computed = async (): Promise<number> => (await engine.generate('chat', [turn], 'in-conversation')).times.prompt_tokens;
    const whole = await computed();
    expect(await computed()).toBe(1);
    await engine.step([batch]);
    expect(await computed()).toBe(whole);
    await engine.useAdapter({ kind: 'trainer' });
    expect(await computed()).toBe(whole);
    await engine.open(openOptions);
    expect(await computed()).toBe(whole);
  });

  test('cancel leaves a step undone', async () => {
    await engine.createTrainer(trainerOptions);
    const first = await engine.step([batch]);
    await engine.createTrainer(trainerOptions);
    const long = engine.step(Array.from({ length: ENDLESS_BATCHES }, () => batch));
    await engine.cancel();
    expect(await codeOf(long)).toBe('cancelled');
    expect(withoutTimes(await engine.step([batch]))).toEqual(withoutTimes(first));
  });

  test('a new trainer puts the old one’s adapter out of use', async () => {
    await engine.createTrainer(trainerOptions);
    await engine.useAdapter({ kind: 'trainer' });
    await engine.createTrainer({ ...trainerOptions, seed: 8 });
    expect(await engine.logits([1])).toHaveLength(323);
  });

  test.each([
    ['ids out of range', { ids: Int32Array.from({ length: 3 }, () => 9999) }],
    ['too few labels', { labels: Int32Array.of(1) }],
    ['lengths that do not end at the last token', { cu_seqlens: Int32Array.of(0, 2) }],
  ])('%s are rows.invalid', async (_, wrong) => {
    const good: EngineBatch = batchOf({ ids: [1, 2, 3], labels: [-100, 2, 3], pieces: [] });
    await engine.createTrainer(trainerOptions);
    await engine.step([good]);
    expect(await codeOf(engine.step([{ ...good, ...wrong }]))).toBe('rows.invalid');
    expect(await codeOf(engine.score([{ ...good, ...wrong }]))).toBe('rows.invalid');
  });

  test('arguments of another type are refused, not read', async () => {
    await engine.createTrainer(trainerOptions);
    const wrong = { ...batch, ids: Array.from(batch.ids) } as unknown as EngineBatch;
    expect(await codeOf(engine.step([wrong]))).toBe('internal');
  });
});

describe('logits', () => {
  test('one row of the vocabulary for each id', async () => {
    const logits = await engine.logits([5, 6, 7]);
    expect(logits).toBeInstanceOf(Float32Array);
    expect(logits).toHaveLength(3 * 323);
    expect(logits.every(Number.isFinite)).toBe(true);
  });

  test.each([[[323]], [[-1]], [[2 ** 32 + 1]], [[0.5]], [[]]])('ids %j are rows.invalid', async (ids) => {
    expect(await codeOf(engine.logits(ids))).toBe('rows.invalid');
  });
});
