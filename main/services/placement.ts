// Placement: what computes. `auto` is a card that works and has room for what is planned, otherwise the processor, with the reason.
import type { EngineClient, OpenOptions } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { MemoryQuestion, Placement } from '../../shared/memory.ts';
import type { ModelInfo } from '../../shared/model.ts';
import { examineGpus } from './graphics.ts';

/** A device, and why it is the processor where that was left open. */
export type Placed = Omit<Placement, 'card'>;

/** Prompt and answer that room is looked for before a conversation begins on a card: a long one. */
const CONVERSATION_TOKENS = 2048;

/** Whether a card is the reason. */
export function isOfCard(error: unknown): error is NamesakeError {
  return error instanceof NamesakeError && error.code.startsWith('gpu.');
}

/**
 * Starts an engine and says on what it is to compute. With `auto`, `plan` is asked where a card works. A driver that brings the
 * engine down is a reason like others: then another engine is started. Throws what `plan` throws.
 */
export async function startPlaced<Engine extends Pick<EngineClient, 'gpus' | 'dispose'>>(
  startEngine: () => Engine,
  device: MemoryQuestion['device'],
  plan: (engine: Engine) => Promise<Placed>,
): Promise<Placed & { engine: Engine }> {
  const engine = startEngine();
  if (device !== 'auto') return { engine, device, no_card: null };
  const { problem } = await examineGpus(engine);
  if (problem === null) {
    try {
      const { device: planned, no_card } = await plan(engine);
      return { engine, device: planned, no_card };
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }
  if (problem.code !== 'gpu.driver_unusable') return { engine, device: 'cpu', no_card: problem };
  await engine.dispose();
  return { engine: startEngine(), device: 'cpu', no_card: problem };
}

/** What is planned for a model that is only to answer. */
export function answersOf({ precision, device, threads, isa }: Pick<MemoryQuestion, 'precision' | 'device' | 'threads' | 'isa'>): MemoryQuestion {
  return {
    ...{ precision, device, threads, isa, rank: 0, layers: null, state_bits: 32, activation_bits: 32, batch_tokens: 0, packed_tokens: null },
    ...{ max_length: CONVERSATION_TOKENS, answers: true, recompute: null },
  };
}

/**
 * Starts an engine and opens a model in it that is to answer. With `auto`, or where it may be `anywhere`, a card that does not take
 * it leads to the processor. The caller ends the engine. Throws what opening throws, and then it is ended.
 */
export async function openToAnswer<Engine extends EngineClient>(
  startEngine: () => Engine,
  { device, ...options }: Omit<OpenOptions, 'device'> & Pick<MemoryQuestion, 'device'>,
  anywhere = device === 'auto',
): Promise<{ engine: Engine; info: ModelInfo }> {
  const placed = await startPlaced(startEngine, device, (engine) => engine.planMemory(options.path, answersOf({ device, ...options })));
  const { engine } = placed;
  try {
    const info = await engine.open({ ...options, device: placed.device }).catch((error: unknown) => {
      if (anywhere && isOfCard(error)) return engine.open({ ...options, device: 'cpu' });
      throw error;
    });
    return { engine, info };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}
