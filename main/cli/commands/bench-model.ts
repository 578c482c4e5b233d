// What the figures of bench share: the model that they are of, and where it computes.
import { Option } from 'commander';
import { isCard, ordinalOf, type Device } from '../../../shared/device.ts';
import type { GpuCard } from '../../../shared/doctor.ts';
import type { ModelInfo } from '../../../shared/model.ts';
import { precisions, type Recipe } from '../../../shared/recipe.ts';
import type { EngineProcess } from '../../engine/client.ts';
import { answersOf, startPlaced } from '../../services/placement.ts';
import type { Context } from '../context.ts';

export interface BenchFlags {
  model?: string;
  precision: Recipe['model']['precision'];
  device: Recipe['device'];
}

interface OpenedBench {
  engine: EngineProcess;
  id: string;
  path: string;
  device: Device;
  info: ModelInfo;
  /** null where the processor computes. */
  card: GpuCard | null;
  open_seconds: number;
}

/** The card that a model is about to be opened on. */
async function cardOf(engine: EngineProcess, device: Device): Promise<GpuCard | null> {
  if (!isCard(device)) return null;
  const { cards, chosen } = await engine.gpus();
  const taken = ordinalOf(device) ?? chosen;
  return cards.find(({ ordinal }) => ordinal === taken) ?? null;
}

/** Opens the model that the flags name, where they ask for it. The caller disposes of the engine. */
export async function openBench(context: Context, flags: BenchFlags): Promise<OpenedBench> {
  const model = await context.models.locate(flags.model ?? context.models.default);
  const { precision, device: asked } = flags;
  const question = answersOf({ precision, device: asked, ...context.compute });
  const { engine, device } = await startPlaced(context.startEngine, asked, (started) => started.planMemory(model.path, question));
  try {
    const card = await cardOf(engine, device);
    const start = performance.now();
    const info = await engine.open({ path: model.path, precision, device, ...context.compute });
    return { engine, id: model.id, path: model.path, device, info, card, open_seconds: (performance.now() - start) / 1000 };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** What computed, as results name it. */
export function computedBy({ backend, isa }: ModelInfo, card: GpuCard | null): { backend: string; isa: string; card: string | null } {
  return { backend, isa, card: card?.name ?? null };
}

export const precisionOption = (): Option => new Option('--precision <precision>').choices(precisions).default('as-stored');
