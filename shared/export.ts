// Export: a finished assistant as files for other programs, and the proof that they still know who they are.
import type { Scores } from './run.ts';

export interface ExportResult {
  /** Absolute paths. */
  files: string[];
  folder: string;
  bytes: number;
  /** What the written files answered to the probes; null where the run has none, or they are gone. */
  scores: Scores | null;
  /** Takes the files as one archive through the door (serve); null where they lie on this machine already. */
  download: string | null;
}
