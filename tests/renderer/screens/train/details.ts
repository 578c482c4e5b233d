// A run's details as the core gives them, for tests of what is shown of them.
import type { WatchedRun } from '../../../../renderer/state/run-watch.ts';
import type { StoredMetric } from '../../../../shared/api.ts';
import { recipeSchema } from '../../../../shared/recipe.ts';
import type { CheckpointScores } from '../../../../shared/run.ts';

/** Steps with these losses, from step 1 on. */
export function metrics(...losses: number[]): StoredMetric[] {
  return losses.map((loss, i) => ({ step: i + 1, loss, grad_norm: 1, lr: 1e-3, tokens: 100, tokens_per_second: 1310.4 }));
}

/** A scored checkpoint in English. */
export function checkpoint(step: number, recall: number, leak: number): CheckpointScores {
  const right = recall >= 0.95 && leak <= 0.05;
  return { step, right, scores: { en: { recall, leak }, retention: { kl: 0, perplexity_ratio: 1 } }, kept: step > 0 };
}

export function details(change: Partial<WatchedRun> = {}): WatchedRun {
  return {
    run: 'a', name: 'A', status: 'running', step: 0, steps: 60, created_at: '2026-01-01T00:00:00Z', error: null, chosen_step: null,
    recipe: recipeSchema.parse({ name: 'A', data: { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } } }), error_detail: null, error_params: {},
    checkpoints: [], metrics: [], engine: null, phase: null, right: null, missed: [], before: [], after: [], folder: '/r', bytes_on_disk: 0, free_disk_bytes: 1e12, warnings: [],
    ...change,
  };
}
