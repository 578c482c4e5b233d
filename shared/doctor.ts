// Doctor: what works on this machine, and what does not.
import type { ErrorCode } from './errors.ts';

export interface DoctorReport {
  version: string;
  node: string;
  platform: string;
  home: string;
  free_disk_bytes: number;
  total_memory_bytes: number;
  free_memory_bytes: number;
  /** null where the engine answers. */
  engine_error: { code: ErrorCode; detail: string } | null;
  addon: string | null;
  /** Instruction sets: the one that is taken by itself, and why another one is not supported. */
  isa: { auto: string | null; levels: { isa: string; supported: boolean; reason: string | null }[] };
  default_model: { id: string; here: boolean; path: string };
}
