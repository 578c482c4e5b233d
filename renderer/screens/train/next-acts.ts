// Next acts: what can be done with a run that does not go on, the likeliest first.
import { isCard } from '../../../shared/device.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { RunSummary } from '../../../shared/run.ts';

/** Go on, go on on the processor, look at what it became, change its settings and begin anew, or make another one. */
export type Act = 'resume' | 'resume_cpu' | 'look' | 'again' | 'new';

/** Errors that come again as long as the settings are the same. */
const ofSettings = /^(training\.diverged|recipe\.|rows\.|questions\.|persona\.|context\.|memory\.|adapter\.|model\.unknown|device\.|run\.no_checkpoint|checkpoint\.)/;

type Ended = Pick<RunSummary, 'status' | 'error' | 'chosen_step'>;

/** What is offered for a run; none while it goes on. One of a card may go on without: the card can be gone, or full, for good. */
export function nextActs(run: Ended, device: Recipe['device'] = 'auto'): Act[] {
  const onCard = isCard(device) || (device === 'auto' && run.error?.startsWith('gpu.') === true);
  return actsOf(run).flatMap((act): Act[] => (act === 'resume' && onCard ? ['resume', 'resume_cpu'] : [act]));
}

function actsOf({ status, error, chosen_step }: Ended): Act[] {
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
