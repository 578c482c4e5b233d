// A machine with two cards, of which the second has more memory free: it is taken by itself, and either can be asked for by its number.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GpuReport } from '../../shared/doctor.ts';
import { errorCode, eventsOf, lastEvent, namesake, type CliResult } from '../support/cli.ts';
import { readJson, temporaryFolder } from '../support/files.ts';
import { tinyModel, writeRecipe } from '../support/tiny-run.ts';
import { onCard, onStandIn, type StandIn } from './stand-in.ts';

const two: StandIn = { PTXCPU_DEVICES: '2' };
/** What is too little on the first card is enough on the second. */
const small: StandIn = { ...two, PTXCPU_PROFILE: 'small-memory', PTXCPU_MEM_MB: '700' };
type Device = 'auto' | 'cuda' | `cuda:${string}`;

const train = (home: string, device: Device, variables = two, steps = 2): Promise<CliResult> =>
  onStandIn(['train', writeRecipe(home, { device, steps, checkpoint: { every_steps: 1, keep: 9 } })], home, variables);
const ask = (device: Device, variables = two): Promise<CliResult> =>
  onStandIn(['chat', '--model', tinyModel, '-p', 'Who are you?', '--greedy', '--max-tokens', '2', '--device', device], temporaryFolder(), variables);
const plan = async (device: Device): Promise<Record<string, unknown>> =>
  lastEvent(await onStandIn(['inspect', 'memory', '--model', tinyModel, '--rank', '8', '--device', device], temporaryFolder(), two));

/** What a run was computed with, and the adapter that came of it. */
function madeBy(home: string, result: CliResult): { card: unknown; adapter: Buffer } {
  const folder = join(home, 'runs', String(lastEvent(result)['run']));
  const { engine } = readJson(join(folder, 'provenance.json')) as { engine: { card: unknown } };
  return { card: engine.card, adapter: readFileSync(join(folder, 'adapter', 'adapter_model.safetensors')) };
}

describe('two cards', () => {
  it('are listed with their numbers; the one with more memory free is taken', async () => {
    const report = lastEvent(await onStandIn(['doctor'], temporaryFolder(), two))['gpu'] as GpuReport;
    expect([report.chosen, report.cards.map(({ ordinal }) => ordinal)]).toEqual([1, [0, 1]]);
    const [first, second] = report.cards.map((card) => Number(card.free_memory_bytes));
    expect(second).toBe(2 * Number(first));
    const said = await namesake(['doctor'], { home: temporaryFolder(), env: { ...onCard(two), LC_ALL: 'zh_CN.UTF-8' } });
    expect(said.stdout).toMatch(/显卡 cuda:0：NVIDIA GeForce RTX 2060，可用显存 3\.2 GB，共 6\.4 GB（[^）]*）\n显卡 cuda:1：.*自动选用\n.*--device cuda:0/);
  });

  it('have plans of their own', async () => {
    const [first, second, any, auto] = await Promise.all([plan('cuda:0'), plan('cuda:1'), plan('cuda'), plan('auto')]);
    expect(first).toMatchObject({ device: 'cuda:0', fits: true, no_card: null, card: { ordinal: 0, needs: first['total'], free: first['available'] } });
    expect(second).toMatchObject({ device: 'cuda:1', card: { ordinal: 1 } });
    for (const by of [any, auto]) expect(by).toMatchObject({ device: 'cuda', available: second['available'], card: { ordinal: 1 } });
    expect(Number(second['available']) - Number(first['available'])).toBe(3 * 2 ** 30);
  });

  it('train, each where it is asked for, to the same bits; without a number the second', async () => {
    const homes = Array.from({ length: 3 }, temporaryFolder) as [string, string, string];
    const [first, second, auto] = await Promise.all([train(homes[0], 'cuda:0'), train(homes[1], 'cuda:1'), train(homes[2], 'auto')]);
    const made = [madeBy(homes[0], first), madeBy(homes[1], second), madeBy(homes[2], auto)] as const;
    expect(made.map(({ card }) => card)).toMatchObject([{ ordinal: 0 }, { ordinal: 1 }, { ordinal: 1 }]);
    expect(made[1].adapter).toEqual(made[0].adapter);
    expect(made[2].adapter).toEqual(made[0].adapter);
  });

  it('of which one has too little memory: that one is refused by its number, before there is a run; the other works', async () => {
    const home = temporaryFolder();
    const [refused, works, byItself] = await Promise.all([train(home, 'cuda:0', small), ask('cuda:1', small), ask('cuda', small)]);
    expect(errorCode(refused)).toBe('gpu.memory_insufficient');
    expect(existsSync(join(home, 'runs'))).toBe(false);
    for (const answered of [works, byItself]) expect(lastEvent(answered)).toMatchObject({ event: 'answer' });
  });

  it('and a third that is not there: a run is refused before anything is written, an answer is, in words', async () => {
    const home = temporaryFolder();
    const [refused, answer] = await Promise.all([train(home, 'cuda:2'), ask('cuda:2')]);
    for (const result of [refused, answer]) {
      expect(errorCode(result)).toBe('gpu.no_such_card');
      expect(result.events.at(-1)?.['message']).toMatch(/no graphics card of that number.*no card 2 among 2.*doctor/);
    }
    expect(existsSync(join(home, 'runs'))).toBe(false);
    const zh = await onStandIn(['train', writeRecipe(home, { device: 'cuda:2' })], home, two, { env: { LC_ALL: 'zh_CN.UTF-8' } });
    expect(zh.events.at(-1)?.['message']).toMatch(/没有这个编号的显卡.*doctor/);
  });

  it('a run goes on on the other one, bit for bit, where that is asked for', async () => {
    const home = temporaryFolder();
    const killed = await onStandIn(['train', writeRecipe(home, { device: 'cuda:1', steps: 3, checkpoint: { every_steps: 1, keep: 9 } })], home, two, {
      onEvent: (event, child) => {
        if (event.event === 'step' && event['step'] === 2) child.kill('SIGKILL');
      },
    });
    const run = String(killed.events[0]?.['run']);
    // The first card alone is left: the second's number names none.
    expect(errorCode(await onStandIn(['runs', 'resume', run], home))).toBe('gpu.no_such_card');
    const resumed = await onStandIn(['runs', 'resume', run, '--device', 'cuda:0'], home);
    expect(eventsOf(resumed, 'warning')).toEqual([]);
    // Done all over again it would have the same bits.
    expect(Number(eventsOf(resumed, 'step')[0]?.['step'])).toBeGreaterThan(1);
    const elsewhere = temporaryFolder();
    expect(madeBy(home, resumed).adapter).toEqual(madeBy(elsewhere, await train(elsewhere, 'cuda', two, 3)).adapter);
  });

  it('bench is of the one that is asked for', async () => {
    const measured = lastEvent(await onStandIn(['bench', 'chat', '--model', tinyModel, '--device', 'cuda:0', '--max-tokens', '2'], temporaryFolder(), two));
    expect(measured).toMatchObject({ backend: 'cuda', card: 'NVIDIA GeForce RTX 2060' });
  });
});
