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
  isa: { auto: string | null; supported: string[] };
  default_model: { id: string; here: boolean; path: string };
}
