// A run and a chat on a card, by the real command line: as on the processor, resumed bit for bit, and what is left of a run whose card
// or engine is lost.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GpuReport } from '../../shared/doctor.ts';
import { errorCode, eventsOf, lastEvent, type CliResult } from '../support/cli.ts';
import { readJson, temporaryFolder } from '../support/files.ts';
import { childrenOf, isAlive } from '../support/processes.ts';
import { tinyModel, writeRecipe } from '../support/tiny-run.ts';
import { onStandIn, type StandIn } from './stand-in.ts';

const change = { device: 'cuda', steps: 2, checkpoint: { every_steps: 1, keep: 9 } } as const;
const train = (home: string, variables: StandIn = {}, steps = 2): Promise<CliResult> => onStandIn(['train', writeRecipe(home, { ...change, steps })], home, variables);
const runOf = (result: CliResult): string => String(result.events[0]?.['run']);
const losses = (result: CliResult): number[] => eventsOf(result, 'step').map(({ loss }) => Number(loss));

/** Everything that a run has learnt, as bytes. */
function learnt(home: string, run: string): Buffer[] {
  const folder = join(home, 'runs', run);
  const places = [join(folder, 'adapter'), ...readdirSync(join(folder, 'checkpoints')).sort().map((step) => join(folder, 'checkpoints', step))];
  return places.flatMap((place) => readdirSync(place).sort().map((name) => readFileSync(join(place, name))));
}

describe('a run on a card', () => {
  let home: string;
  let whole: CliResult;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'namesake-card-'));
    whole = await train(home);
    return () => rmSync(home, { recursive: true, force: true });
  });

  it('learns what the processor learns, and says what computed', async () => {
    expect(lastEvent(whole)).toMatchObject({ event: 'result', steps: 2 });
    const elsewhere = temporaryFolder();
    const onProcessor = await onStandIn(['train', writeRecipe(elsewhere, { ...change, device: 'cpu' })], elsewhere);
    lastEvent(onProcessor);
    // Measured 3.3e-3 at most: f16 products, and a learning rate that shows it.
    losses(whole).forEach((loss, i) => expect(Math.abs(loss - (losses(onProcessor)[i] ?? NaN))).toBeLessThan(1e-2));
    const provenance = readJson(join(home, 'runs', runOf(whole), 'provenance.json')) as { engine: unknown };
    const card = { name: 'NVIDIA GeForce RTX 2060', compute_capability: '7.5', driver: '12.4' };
    expect(provenance.engine).toMatchObject({ backend: 'cuda', isa: 'sm_75', card });
  });

  it('answers there, and on the processor where the card is gone', async () => {
    const chat = async (args: readonly string[], variables: StandIn = {}): Promise<unknown> =>
      lastEvent(await onStandIn(['chat', ...args, '-p', 'Who are you?', '--greedy', '--max-tokens', '4'], home, variables))['text'];
    const byFolder = ['--model', tinyModel, '--adapter', join(home, 'runs', runOf(whole), 'adapter'), '--device'];
    expect(await chat(['--run', runOf(whole)])).toBe(await chat([...byFolder, 'cuda']));
    expect(await chat(['--run', runOf(whole)], { PTXCPU_PROFILE: 'no-device' })).toBe(await chat([...byFolder, 'cpu']));
  });

  it('that is killed goes on bit for bit', async () => {
    const killed = await onStandIn(['train', writeRecipe(home, change)], home, {}, {
      onEvent: (event, child) => {
        if (event.event === 'step' && event['step'] === 1) child.kill('SIGKILL');
      },
    });
    const resumed = await onStandIn(['runs', 'resume', runOf(killed)], home);
    lastEvent(resumed);
    expect(eventsOf(resumed, 'warning')).toEqual([]);
    expect(learnt(home, runOf(killed))).toEqual(learnt(home, runOf(whole)));
  });
});

describe('a run that leaves open what computes', () => {
  const engineOf = (home: string, result: CliResult): unknown =>
    (readJson(join(home, 'runs', String(lastEvent(result)['run']), 'provenance.json')) as { engine: unknown }).engine;

  it('is computed on the card that has room for it, and so are its answers', async () => {
    const home = temporaryFolder();
    const trained = await onStandIn(['train', writeRecipe(home, { ...change, device: 'auto' })], home);
    expect(engineOf(home, trained)).toMatchObject({ backend: 'cuda', isa: 'sm_75', card: { name: 'NVIDIA GeForce RTX 2060' } });
    expect(engineOf(home, trained)).not.toHaveProperty('no_card');
    expect(eventsOf(trained, 'warning')).toEqual([]);
    const asked = await onStandIn(['chat', '--run', runOf(trained), '-p', 'Who are you?', '--greedy', '--max-tokens', '2'], home, { PTXCPU_FAIL_LAUNCH: '1' });
    // It was the card that was asked: the launch that fails is the answer's first.
    expect(errorCode(asked)).toBe('gpu.failed');
  });

  it.each<[string, StandIn, object]>([
    ['the plan does not fit', { PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '700' }, { batch_tokens: 200_000 }],
    ['its memory runs out before the first step', { PTXCPU_FAIL_ALLOC: '3' }, {}],
  ])('is computed on the processor where %s, with the reason', async (_, variables, larger) => {
    const home = temporaryFolder();
    const trained = await onStandIn(['train', writeRecipe(home, { ...change, ...larger, device: 'auto' })], home, variables);
    const [warning] = eventsOf(trained, 'warning');
    expect(warning).toMatchObject({ warning: 'no_card', code: 'gpu.memory_insufficient', detail: expect.stringMatching(/needs \d+ MB, \d+ MB are free/) as unknown });
    expect(engineOf(home, trained)).toMatchObject({ backend: 'cpu', no_card: { code: 'gpu.memory_insufficient', detail: warning?.['detail'] } });
    expect(lastEvent(trained)).toMatchObject({ steps: 2 });
  });
});

describe('a run on a card that breaks off', () => {
  const steps = 4;
  let home: string;
  let whole: CliResult;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'namesake-card-'));
    whole = await train(home, {}, steps);
    return () => rmSync(home, { recursive: true, force: true });
  });

  const show = async (place: string, run: string): Promise<unknown> => lastEvent(await onStandIn(['runs', 'show', run], place));

  /** Goes on with a run on the card; what it then did, and what it has learnt. */
  async function resumed(place: string, run: string): Promise<{ steps: unknown[]; learnt: Buffer[] }> {
    const result = await onStandIn(['runs', 'resume', run], place);
    expect(lastEvent(result)).toMatchObject({ event: 'result', run, steps });
    expect(eventsOf(result, 'warning')).toEqual([]);
    return { steps: eventsOf(result, 'step').map(({ step }) => step), learnt: learnt(place, run) };
  }

  it('because the card is lost fails with its last checkpoint in place; it goes on on the processor, or on a card again bit for bit', async () => {
    const place = temporaryFolder();
    // Somewhere in the middle: a step has some hundred launches.
    const lost = await train(place, { PTXCPU_FAIL_LAUNCH: '600' }, steps);
    expect(errorCode(lost)).toBe('gpu.failed');
    const run = runOf(lost);
    const reached = eventsOf(lost, 'step').length;
    expect(reached).toBeGreaterThan(0);
    expect(reached).toBeLessThan(steps);
    const saved = Array.from({ length: reached }, (_, i) => ({ step: i + 1, kept: true }));
    expect(await show(place, run)).toMatchObject({ status: 'failed', error: 'gpu.failed', checkpoints: saved });
    // No card at all, as after a driver that no longer starts: the run is as it was.
    expect(errorCode(await onStandIn(['runs', 'resume', run], place, { PTXCPU_PROFILE: 'no-device' }))).toBe('gpu.no_card');
    expect(await show(place, run)).toMatchObject({ status: 'failed', error: 'gpu.failed' });
    const another = temporaryFolder();
    cpSync(place, another, { recursive: true });
    const rest = [1, 2, 3, 4].slice(reached);
    expect(await resumed(another, run)).toEqual({ steps: rest, learnt: learnt(home, runOf(whole)) });
    const elsewhere = await onStandIn(['runs', 'resume', run, '--device', 'cpu'], place, { PTXCPU_PROFILE: 'no-device' });
    expect(lastEvent(elsewhere)).toMatchObject({ event: 'result', run, steps });
    expect(eventsOf(elsewhere, 'step').map(({ step }) => step)).toEqual(rest);
    expect(eventsOf(elsewhere, 'warning')).toMatchObject([{ warning: 'resumed_elsewhere', began: 'cuda sm_75' }]);
  });

  it('because its engine is killed fails as a crash with its checkpoints in place, gives the card back, and goes on bit for bit', async () => {
    const place = temporaryFolder();
    const free = async (): Promise<unknown> => {
      const { gpu } = lastEvent(await onStandIn(['doctor'], place)) as unknown as { gpu: GpuReport };
      return gpu.cards[0]?.free_memory_bytes;
    };
    const before = await free();
    const killed: number[] = [];
    const broken = await onStandIn(['train', writeRecipe(place, { ...change, steps })], place, {}, {
      onEvent: (event, child) => {
        if (event.event !== 'step' || event['step'] !== 2) return;
        killed.push(...childrenOf(child.pid ?? 0));
        for (const pid of killed) process.kill(pid, 'SIGKILL');
      },
    });
    expect(errorCode(broken)).toBe('engine.crashed');
    expect(killed).toHaveLength(1);
    expect(killed.filter(isAlive)).toEqual([]);
    const run = runOf(broken);
    const reached = eventsOf(broken, 'step').length;
    expect(reached).toBeLessThan(steps);
    // What step 2 was saved as depends on how soon the kill came; step 1 was saved before it.
    expect(await show(place, run)).toMatchObject({ status: 'failed', error: 'engine.crashed', checkpoints: expect.arrayContaining([expect.objectContaining({ step: 1, kept: true })]) as unknown });
    // The stand-in's memory is its process's own: this shows that no other process holds on to the card, not what a driver does with
    // the memory of one that was killed.
    expect(await free()).toBe(before);
    expect((await resumed(place, run)).learnt).toEqual(learnt(home, runOf(whole)));
  });
});

describe('a card whose memory runs out', () => {
  it('says so with numbers, and the next attempt works', async () => {
    const home = temporaryFolder();
    const failed = await train(home, { PTXCPU_FAIL_ALLOC: '3' });
    expect(errorCode(failed)).toBe('gpu.memory_insufficient');
    expect(failed.events.at(-1)?.['message']).toMatch(/\d+ MB.*\d+ MB.*batch_tokens/);
    const resumed = await onStandIn(['runs', 'resume', runOf(failed)], home);
    expect(lastEvent(resumed)).toMatchObject({ event: 'result', steps: 2 });
  });
});

describe('bench', () => {
  it('says how fast the card is, its name, and its share of what the card can do', async () => {
    const home = temporaryFolder();
    const trained = lastEvent(await onStandIn(['bench', 'train', '--model', tinyModel, '--device', 'cuda', '--steps', '1', '--batch-tokens', '64', '--rank', '4'], home));
    expect(trained).toMatchObject({ backend: 'cuda', isa: 'sm_75', card: 'NVIDIA GeForce RTX 2060', tokens: 64 });
    const peak = 512 * 30 * 1.68e9;
    expect(Number(trained['share_of_peak']) / ((Number(trained['useful_tflops']) * 1e12) / peak)).toBeCloseTo(1, 6);
    // Two products and sums a parameter and token, forward and backward.
    const pass = 2 * (2 * 323 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 2 * 64) + 64) * 64;
    const seconds = Number(trained['seconds']);
    expect(Number(trained['tokens_per_second']) * seconds).toBeCloseTo(64, 6);
    expect((Number(trained['useful_tflops']) * 1e12 * seconds) / (2 * pass)).toBeCloseTo(1, 6);
    const { forward, backward, update } = trained['phases'] as Record<string, { seconds: number; tokens_per_second: number; share_of_peak: number | null; useful_tflops: number | null }>;
    for (const phase of [forward, backward, update]) {
      expect(phase?.seconds).toBeGreaterThan(0);
      expect(Number(phase?.tokens_per_second) * Number(phase?.seconds)).toBeCloseTo(64, 6);
    }
    for (const phase of [forward, backward]) {
      expect((Number(phase?.useful_tflops) * 1e12 * Number(phase?.seconds)) / pass).toBeCloseTo(1, 6);
      expect((Number(phase?.share_of_peak) * peak) / (Number(phase?.useful_tflops) * 1e12)).toBeCloseTo(1, 6);
    }
    expect(update).toMatchObject({ useful_tflops: null, share_of_peak: null });
    expect([forward, backward, update].reduce((sum, phase) => sum + Number(phase?.seconds), 0)).toBeLessThan(seconds);
    const asked = lastEvent(await onStandIn(['bench', 'chat', '--model', tinyModel, '--device', 'cuda', '--max-tokens', '2'], home));
    expect(asked).toMatchObject({ backend: 'cuda', card: 'NVIDIA GeForce RTX 2060' });
    expect(asked['tokens_per_second']).toBeGreaterThan(0);
  });
});
