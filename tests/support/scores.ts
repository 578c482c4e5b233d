// Score cards.
import type { Scores } from '../../shared/run.ts';

/** Both languages at [recall, leak]. */
export function scoreCard(recall = 1, leak = 0, kl = 0.1): Scores {
  return { zh: { recall, leak }, en: { recall, leak }, retention: { kl, perplexity_ratio: 1.1 } };
}
