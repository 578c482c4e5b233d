// Run: one training from recipe to chosen adapter, and what is measured on the way.
import { z } from 'zod';
import type { Problem, UsedCard } from './doctor.ts';
import type { Language } from './persona.ts';

export const runStatuses = [
  'preparing',
  'running',
  'paused',
  'stopped',
  'cancelled',
  'interrupted',
  'failed',
  'done',
] as const;
export type RunStatus = (typeof runStatuses)[number];

/**
 * The life of a run: where it can go from each status. `preparing` is everything before its first step (again, when it is
 * resumed); stopped = "stop and keep"; interrupted = its process died; cancelled = thrown away.
 */
export const transitions: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  preparing: ['running', 'paused', 'stopped', 'cancelled', 'interrupted', 'failed'],
  running: ['paused', 'stopped', 'cancelled', 'interrupted', 'failed', 'done'],
  paused: ['preparing'],
  stopped: ['preparing'],
  interrupted: ['preparing'],
  failed: ['preparing'],
  cancelled: [],
  done: [],
};

/** Statuses from which a run can become `status`. */
export function statusesBefore(status: RunStatus): RunStatus[] {
  return runStatuses.filter((before) => transitions[before].includes(status));
}

/** Statuses of a run that goes on in some process. */
export const activeStatuses: readonly RunStatus[] = statusesBefore('running').concat('running');
/** Statuses from which a run can be resumed: from its last checkpoint, or from its beginning where it has none yet. */
export const resumableStatuses: readonly RunStatus[] = statusesBefore('preparing');

export const languageScoreSchema = z.object({
  /** Share of held-out identity questions whose answer carries what was asked. */
  recall: z.number(),
  /** Share of unrelated and near-miss questions whose answer carries the persona. */
  leak: z.number(),
});
export type LanguageScore = z.infer<typeof languageScoreSchema>;

export const retentionSchema = z.object({
  /** Mean KL(base ‖ tuned) per token on fixed texts; the worst language. */
  kl: z.number(),
  /** exp(mean cross-entropy tuned) / exp(… base); the worst language. */
  perplexity_ratio: z.number(),
});
export type Retention = z.infer<typeof retentionSchema>;

/** {"zh":{"recall","leak"},"en":{…},"retention":{"kl","perplexity_ratio"}} */
export const scoresSchema = z.object({
  zh: languageScoreSchema.optional(),
  en: languageScoreSchema.optional(),
  retention: retentionSchema,
});
export type Scores = z.infer<typeof scoresSchema>;

/** One probe with its answer and verdict, as the database and the score card keep it. */
export interface ScoredProbe {
  lang: Language;
  kind: 'identity' | 'unrelated' | 'near_miss';
  question: string;
  answer: string;
  /** identity: carries what was asked; others: carries the persona (a leak). */
  hit: boolean;
}

export interface StepMetric {
  step: number;
  loss: number;
  /** Before clipping. */
  grad_norm: number;
  lr: number;
  tokens: number;
  tokens_per_second: number;
  eta_seconds: number;
}

export interface QuestionAnswer {
  question: string;
  answer: string;
}

/** What computes a run. */
export interface RunEngine {
  backend: string;
  isa: string;
  /** null on a processor. */
  card: Omit<UsedCard, 'ordinal'> | null;
  /** Why it is the processor, where the recipe left that open (gpu.*); else null. */
  no_card: Problem | null;
}

/** What a run is, as lists and screens show it. */
export interface RunSummary {
  run: string;
  name: string;
  status: RunStatus;
  /** Steps done. */
  step: number;
  steps: number;
  created_at: string;
  /** Why it failed: an error code. */
  error: string | null;
  chosen_step: number | null;
}

/** Of some questions, how many were answered as they should be. */
export interface Counted {
  right: number;
  of: number;
}

/** A score card in whole questions, over all languages. */
export interface ScoreCount {
  /** Questions about itself whose answer carries what was asked. */
  knows: Counted;
  /** Other questions whose answer does not carry the persona. */
  alone: Counted;
}

/** What the list of assistants shows of a run beside its state. */
export interface RunFacts {
  run: string;
  /** REF of its model. */
  model: string;
  languages: Language[];
  /** The chosen checkpoint's; null where there is none, or it was not asked anything. */
  score: ScoreCount | null;
  bytes_on_disk: number;
}

/** A deleted run that can be brought back. */
export interface DeletedRun {
  run: string;
  name: string;
  /** Until when. */
  until: string;
}

/** A checkpoint and what it scored; step 0 is the base. */
export interface CheckpointScores {
  step: number;
  right: boolean;
  scores: Scores | null;
  /** Whether its folder is still there. */
  kept: boolean;
}

/** One field in which two runs' recipes differ. */
export interface RunDifference {
  /** Dotted, e.g. "optim.lr". */
  field: string;
  a: unknown;
  b: unknown;
}
