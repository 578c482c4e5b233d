// Doctor: what works on this machine, and what does not.
import type { ErrorCode } from './errors.ts';

export interface Problem {
  code: ErrorCode;
  detail: string;
}

/** Whether it is that there is no card at all: such a machine lacks nothing. */
export function isWithoutCard({ code }: Problem): boolean {
  return code === 'gpu.no_driver' || code === 'gpu.no_card';
}

/** One NVIDIA card as its driver describes it. */
export interface GpuCard {
  /** Its number, as the driver counts. */
  ordinal: number;
  name: string;
  /** "8.6" */
  compute_capability: string;
  total_memory_bytes: number;
  /** null where the driver gave no place on the card to ask from. */
  free_memory_bytes: number | null;
  /** How many there are, and their highest clock; 0 where the driver does not say. */
  multiprocessors: number;
  clock_khz: number;
  /** Its memory is the machine's own. */
  integrated: boolean;
  /** Windows' display driver model lies below: memory may be moved out, and no kernel may take two seconds. */
  wddm: boolean;
  /** Why it cannot be used: gpu.card_too_old, gpu.memory_insufficient or gpu.failed. */
  problem: Problem | null;
}

/** The card that something is computed on; `driver` is the newest CUDA that its driver knows. */
export interface UsedCard extends Pick<GpuCard, 'ordinal' | 'name' | 'compute_capability'> {
  driver: string;
}

/** This machine's NVIDIA cards, and the one that would be taken. */
export interface GpuReport {
  /** The newest CUDA that the driver knows ("12.8"); null without a driver that works. */
  driver: string | null;
  cards: GpuCard[];
  /** Its ordinal. */
  chosen: number | null;
  /** Why no card can be used: one of the codes gpu.*; null where one can. */
  problem: Problem | null;
}

export interface DoctorReport {
  version: string;
  node: string;
  platform: string;
  home: string;
  free_disk_bytes: number;
  total_memory_bytes: number;
  free_memory_bytes: number;
  /** null where the engine answers. */
  engine_error: Problem | null;
  addon: string | null;
  /** Instruction sets: the one that is taken by itself, and why another one is not supported. */
  isa: { auto: string | null; levels: { isa: string; supported: boolean; reason: string | null }[] };
  /** null where there is no engine to ask. */
  gpu: GpuReport | null;
  default_model: { id: string; here: boolean; path: string };
}
