// What computes, where that is left open: a card that works and has room, otherwise the processor, and why.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Home } from '../../../main/home.ts';
import { MemoryService } from '../../../main/services/memory.ts';
import type { LocalModel } from '../../../main/services/model.ts';
import { answersOf, openToAnswer, startPlaced, type Placed } from '../../../main/services/placement.ts';
import type { GpuReport } from '../../../shared/doctor.ts';
import type { EngineClient, OpenOptions } from '../../../shared/engine.ts';
import { NamesakeError, type ErrorCode } from '../../../shared/errors.ts';
import type { MemoryBudget, MemoryQuestion } from '../../../shared/memory.ts';
import { rejectedBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

const works: GpuReport = { driver: '12.4', cards: [], chosen: 0, problem: null };
const without = (code: ErrorCode): GpuReport => ({ driver: null, cards: [], chosen: null, problem: { code, detail: 'found' } });
const short = { code: 'gpu.memory_insufficient', detail: 'this needs 3 MB, 2 MB are free' } as const;

/** Engines that answer as told, and what was asked of them. */
function engines({ gpus, opens = () => null, plan = { device: 'cuda', no_card: null } }: { gpus: () => GpuReport; opens?: (device: string) => NamesakeError | null; plan?: Placed }) {
  const told: string[] = [];
  let started = 0;
  const start = (): EngineClient => {
    const number = ++started;
    const engine: Partial<EngineClient> = {
      gpus: () => new Promise((resolve) => resolve(gpus())),
      planMemory: (_model: unknown, { device, rank }: MemoryQuestion) => {
        told.push(`${number} plan ${device} rank ${rank}`);
        return Promise.resolve(plan as MemoryBudget);
      },
      open: ({ device }: OpenOptions) => {
        told.push(`${number} open ${device}`);
        const error = opens(device);
        return error === null ? Promise.resolve({ context: 512 } as Awaited<ReturnType<EngineClient['open']>>) : Promise.reject(error);
      },
      dispose: () => {
        told.push(`${number} end`);
        return Promise.resolve();
      },
    };
    return engine as EngineClient;
  };
  return { start, told, count: () => started };
}

const model = { path: '/m.gguf', precision: 'as-stored', threads: 1, isa: 'auto' } as const;
const never = (): Promise<Placed> => Promise.reject(new Error('nobody should plan'));

describe('where an engine is started', () => {
  it('a device by its name is taken, and nothing is looked for', async () => {
    const { start, count } = engines({ gpus: () => without('internal') });
    for (const device of ['cpu', 'cuda', 'reference'] as const) expect(await startPlaced(start, device, never)).toMatchObject({ device, no_card: null });
    expect(count()).toBe(3);
  });

  it('auto is the processor with the reason where no card works, and nothing is planned', async () => {
    const { start, told, count } = engines({ gpus: () => without('gpu.card_too_old') });
    expect(await startPlaced(start, 'auto', never)).toMatchObject({ device: 'cpu', no_card: { code: 'gpu.card_too_old', detail: 'found' } });
    expect([count(), told]).toEqual([1, []]);
  });

  it('a driver that brings the engine down leaves another one to work with', async () => {
    const { start, told, count } = engines({
      gpus: () => {
        throw new NamesakeError('engine.crashed', 'signal SIGSEGV');
      },
    });
    const { engine, no_card } = await startPlaced(start, 'auto', never);
    expect(no_card).toEqual({ code: 'gpu.driver_unusable', detail: 'engine.crashed: signal SIGSEGV' });
    expect([count(), told]).toEqual([2, ['1 end']]);
    await engine.open({ ...model, device: 'cpu' });
    expect(told.at(-1)).toBe('2 open cpu');
  });

  it('where a card works, the plan says', async () => {
    const { start } = engines({ gpus: () => works });
    expect(await startPlaced(start, 'auto', () => Promise.resolve({ device: 'cuda', no_card: null }))).toMatchObject({ device: 'cuda', no_card: null });
    expect(await startPlaced(start, 'auto', () => Promise.resolve({ device: 'cpu', no_card: short }))).toMatchObject({ device: 'cpu', no_card: short });
  });

  it('a plan that fails ends the engine', async () => {
    const { start, told } = engines({ gpus: () => works });
    expect((await rejectedBy(startPlaced(start, 'auto', () => Promise.reject(new NamesakeError('model.invalid', 'm'))))).code).toBe('model.invalid');
    expect(told).toEqual(['1 end']);
  });
});

describe('a model that is opened to answer', () => {
  const full = (device: string): NamesakeError | null => (device === 'cuda' ? new NamesakeError('gpu.memory_insufficient', 'full') : null);

  it('is opened where its answers have room', async () => {
    const card = engines({ gpus: () => works });
    await openToAnswer(card.start, { ...model, device: 'auto' });
    expect(card.told).toEqual(['1 plan auto rank 0', '1 open cuda']);
    const processor = engines({ gpus: () => works, plan: { device: 'cpu', no_card: short } });
    await openToAnswer(processor.start, { ...model, device: 'auto' });
    expect(processor.told).toEqual(['1 plan auto rank 0', '1 open cpu']);
  });

  it('with auto, a card that is full in the end leads to the processor; one by its name does not, and the engine ends', async () => {
    const auto = engines({ gpus: () => works, opens: full });
    await openToAnswer(auto.start, { ...model, device: 'auto' });
    expect(auto.told.slice(1)).toEqual(['1 open cuda', '1 open cpu']);
    const named = engines({ gpus: () => works, opens: full });
    expect((await rejectedBy(openToAnswer(named.start, { ...model, device: 'cuda' }))).code).toBe('gpu.memory_insufficient');
    expect(named.told).toEqual(['1 open cuda', '1 end']);
  });

  it('a fault of the model is no reason to try elsewhere', async () => {
    const { start, told } = engines({ gpus: () => works, opens: () => new NamesakeError('model.truncated', 'm') });
    expect((await rejectedBy(openToAnswer(start, { ...model, device: 'auto' }))).code).toBe('model.truncated');
    expect(told.slice(1)).toEqual(['1 open cuda', '1 end']);
  });
});

it('plans that are asked for while a driver brings the engine down are all for the processor, by one that lives', async () => {
  let started = 0;
  const start = (): EngineClient => {
    let crashed = false;
    started++;
    const engine: Partial<EngineClient> = {
      planMemory: async (_model: unknown, { device }: MemoryQuestion) => {
        crashed ||= device === 'auto';
        await setImmediate();
        if (crashed) throw new NamesakeError('engine.crashed', 'signal SIGSEGV');
        return { device: 'cpu', card: null, no_card: null } as MemoryBudget;
      },
      dispose: () => Promise.resolve(),
    };
    return engine as EngineClient;
  };
  const models = { locate: (path: string) => Promise.resolve({ path } as LocalModel) };
  const memory = new MemoryService(new Home(temporaryFolder()), models, start, () => ({ threads: 1, isa: 'auto' }));
  const { threads: _threads, isa: _isa, ...question } = answersOf({ ...model, device: 'auto' });
  const plans = await Promise.all(['a', 'b', 'c'].map((ref) => memory.budget(ref, question)));
  expect(plans.map(({ device, no_card }) => [device, no_card?.code])).toEqual(Array(3).fill(['cpu', 'gpu.driver_unusable']));
  expect(started).toBe(2);
});
