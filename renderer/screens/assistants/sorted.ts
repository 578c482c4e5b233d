// Sorted: orders of the list of assistants.
import type { ScoreCount } from '../../../shared/run.ts';
import type { ListedAssistant } from './assistant-list.svelte.ts';

export const orders = ['newest', 'name', 'best', 'largest'] as const;
export type Order = (typeof orders)[number];

/** Share of all questions that were answered as they should be; -1 where nothing was asked. */
function goodness(score: ScoreCount | null): number {
  if (score === null) return -1;
  return (score.knows.right + score.alone.right) / Math.max(1, score.knows.of + score.alone.of);
}

const compare: Readonly<Record<Order, (a: ListedAssistant, b: ListedAssistant) => number>> = {
  newest: (a, b) => (a.created_at < b.created_at ? 1 : -1),
  name: (a, b) => a.name.localeCompare(b.name),
  best: (a, b) => goodness(b.facts?.score ?? null) - goodness(a.facts?.score ?? null),
  largest: (a, b) => (b.facts?.bytes_on_disk ?? 0) - (a.facts?.bytes_on_disk ?? 0),
};

/** The same runs in an order; equals stay as they were. */
export function sorted(runs: readonly ListedAssistant[], order: Order): ListedAssistant[] {
  return [...runs].sort(compare[order]);
}
