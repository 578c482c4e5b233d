// Export: a finished assistant as files for other programs, and the proof that they still know who they are.
import type { ScoreCount, Scores } from './run.ts';

/** What transformers opens under an adapter; neither repository nor folder where people have to find it themselves. */
export interface AdapterBase {
  /** On Hugging Face. */
  repository: string | null;
  /** On the machine that the files are for. */
  folder: string | null;
  /** It is computed by Python code of its own, which has to be there and be trusted. */
  own_code: boolean;
}

export interface ExportResult {
  /** Absolute paths. */
  files: string[];
  folder: string;
  bytes: number;
  /** What the written files answered to the probes; null where the run has none, or they are gone. */
  scores: Scores | null;
  /** The same in whole questions; null where nothing was asked. */
  count: ScoreCount | null;
  /** What they are loaded on. */
  base: AdapterBase;
  /** Takes the files as one archive through the door (serve); null where they lie on this machine already. */
  download: string | null;
}

/** How far an export is. `asking`: of the questions that the written files are asked, how many have an answer begun. */
export interface ExportProgress {
  phase: 'waiting' | 'writing' | 'loading' | 'asking' | 'packing';
  done: number | null;
  total: number | null;
}

/** How a run's export stands since the program was started. */
export interface ExportState {
  /** null where none goes on. */
  progress: ExportProgress | null;
  last: ExportResult | null;
}
