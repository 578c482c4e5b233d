// Graphics: the machine's cards, as those ask who are about to use one.
import type { GpuReport } from '../../shared/doctor.ts';
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

/** Throws why no card can be used: one of the codes gpu.*. In a host of its own, so that a driver that crashes takes nothing with it. */
export async function requireCard(startEngine: () => AskedEngine): Promise<void> {
  const engine = startEngine();
  try {
    const { problem } = await examineGpus(engine);
    if (problem !== null) throw new NamesakeError(problem.code, problem.detail);
  } finally {
    await engine.dispose();
  }
}
