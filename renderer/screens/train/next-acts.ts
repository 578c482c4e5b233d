// Next acts: what can be done with a run that does not go on, the likeliest first.
import type { RunSummary } from '../../../shared/run.ts';

/** Go on, look at what it became, change its settings and begin anew, or make another one. */
export type Act = 'resume' | 'look' | 'again' | 'new';

/** Errors that come again as long as the settings are the same. */
const ofSettings = /^(training\.diverged|recipe\.|rows\.|questions\.|persona\.|context\.|memory\.|adapter\.|model\.unknown|device\.|run\.no_checkpoint|checkpoint\.)/;

/** What is offered for a run; none while it goes on. */
export function nextActs({ status, error, chosen_step }: Pick<RunSummary, 'status' | 'error' | 'chosen_step'>): Act[] {
  const look: Act[] = chosen_step === null ? [] : ['look'];
  switch (status) {
    case 'paused':
    case 'interrupted':
      return ['resume', ...look, 'again'];
    case 'stopped':
      return [...look, 'resume', 'again'];
    case 'failed':
      return error !== null && ofSettings.test(error) ? ['again', 'resume', ...look] : ['resume', 'again', ...look];
    case 'done':
      return [...look, 'again'];
    case 'cancelled':
      return ['new'];
    case 'preparing':
    case 'running':
      return [];
  }
}
