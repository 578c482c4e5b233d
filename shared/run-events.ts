// Events of a run as it happens, as the run service tells them; windows get them merged (shared/api.ts).
import type { Problem } from './doctor.ts';
import type { QuestionAnswer, RunStatus, Scores, StepMetric } from './run.ts';

/** What a run is doing, in the order in which it happens. */
export const phases = ['preparing', 'fetching', 'loading', 'asking', 'training', 'checking', 'saving', 'comparing'] as const;
export type Phase = (typeof phases)[number];

export interface RunResult {
  run: string;
  /** Folder of the chosen adapter. */
  adapter: string;
  chosen_step: number;
  /** Steps that were trained. */
  steps: number;
  /** Tokens that were trained on. */
  tokens: number;
  /** Whether the chosen checkpoint is within the limits; null where nothing was evaluated. */
  right: boolean | null;
  /** Limits that the chosen checkpoint misses, e.g. ["zh.leak"]. */
  missed: string[];
  scores: Scores | null;
  before: QuestionAnswer[];
  after: QuestionAnswer[];
  seconds: number;
}

/** What a person should know although the run goes on. */
export type RunWarning =
  /** It goes on with another backend or instruction set than it began with: its numbers will differ in the last bits. */
  | { warning: 'resumed_elsewhere'; began: string; now: string }
  /** No card computes although there is one, and nobody asked for the processor: why (gpu.*). */
  | ({ warning: 'no_card' } & Problem)
  /** The checkpoint of `step` could not be read: the run goes on from the one of step `from` before it. */
  | { warning: 'checkpoint_damaged'; step: number; from: number };

export type RunEvent =
  /** Always the first one. */
  | { event: 'run'; run: string }
  /** The run has another status from now on, in the database too. */
  | { event: 'status'; status: RunStatus }
  /** done and total are given where the phase can be counted. */
  | { event: 'phase'; phase: Phase; done?: number; total?: number }
  | ({ event: 'warning' } & RunWarning)
  | ({ event: 'step' } & StepMetric)
  | { event: 'probe'; step: number; scores: Scores }
  | ({ event: 'result' } & RunResult);
export type OnRunEvent = (event: RunEvent) => void;
