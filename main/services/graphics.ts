// Graphics: the machine's cards, as those ask who are about to use one.
import { ordinalOf, type CardDevice } from '../../shared/device.ts';
import type { GpuReport, Problem } from '../../shared/doctor.ts';
import type { EngineClient } from '../../shared/engine.ts';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';

type AskedEngine = Pick<EngineClient, 'gpus' | 'dispose'>;

/** The cards; a driver that brings the engine down is one that does not work. */
export async function examineGpus(engine: Pick<AskedEngine, 'gpus'>): Promise<GpuReport> {
  try {
    return await engine.gpus();
  } catch (error) {
    const { code, detail } = toNamesakeError(error);
    const unusable = { code: 'gpu.driver_unusable', detail: `${code}: ${detail}` } as const;
    return { driver: null, cards: [], chosen: null, problem: unusable };
  }
}

/** Why the card that is asked for cannot be used; null where it can. */
export function problemOf({ cards, problem }: GpuReport, device: CardDevice): Problem | null {
  const wanted = ordinalOf(device);
  if (wanted === null || cards.length === 0) return problem;
  const card = cards.find(({ ordinal }) => ordinal === wanted);
  return card === undefined ? { code: 'gpu.no_such_card', detail: `no card ${wanted} among ${cards.length}` } : card.problem;
}

/** Throws why the card cannot be used: one of the codes gpu.*. In a host of its own, so that a driver that crashes takes nothing with it. */
export async function requireCard(startEngine: () => AskedEngine, device: CardDevice): Promise<void> {
  const engine = startEngine();
  try {
    const problem = problemOf(await examineGpus(engine), device);
    if (problem !== null) throw new NamesakeError(problem.code, problem.detail);
  } finally {
    await engine.dispose();
  }
}
