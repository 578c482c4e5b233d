// Step target: where each of the five steps leads from a place, or why it leads nowhere yet.
import type { RunSummary } from '../../shared/run.ts';
import type { Place, Step } from '../state/route.svelte.ts';
import { statusLooks } from '../state/run-status.ts';
import type { MessageKey } from '../state/words.svelte.ts';

export type StepTarget = { to: Place; why: null } | { to: null; why: MessageKey };

/** `run` is the run of the place, as far as it is known. */
export function stepTarget(step: Step, { subject }: Place, run: Pick<RunSummary, 'status' | 'chosen_step'> | null): StepTarget {
  if (subject === null) return step === 'name' ? { to: { screen: 'name', subject: null }, why: null } : { to: null, why: step === 'learn' || step === 'train' ? 'steps.why_named' : 'steps.why_trained' };
  if ('draft' in subject) return step === 'name' || step === 'learn' || step === 'train' ? { to: { screen: step, subject }, why: null } : { to: null, why: 'steps.why_trained' };
  if (step !== 'compare' && step !== 'take-home') return { to: { screen: step, subject }, why: null };
  if (run !== null && statusLooks[run.status].kept && run.chosen_step !== null) return { to: { screen: step, subject }, why: null };
  if (run?.status === 'cancelled') return { to: null, why: 'steps.why_gone' };
  return { to: null, why: run !== null && statusLooks[run.status].active ? 'steps.why_learning' : 'steps.why_kept' };
}
