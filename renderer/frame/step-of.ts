// Step of a place: an address that names a run alone leads to the step that fits how far the run is.
import type { RunSummary } from '../../shared/run.ts';
import { statusLooks } from '../state/run-status.ts';
import type { Place, Step } from '../state/route.svelte.ts';

/** The step that `place` shows; null outside of the five. A finished run is compared, any other is watched. */
export function stepOf(place: Place, run: Pick<RunSummary, 'status' | 'chosen_step'> | null): Step | null {
  if (place.screen === 'assistants' || place.screen === 'settings') return null;
  if (place.screen !== null) return place.screen;
  return run !== null && statusLooks[run.status].tone === 'good' && run.chosen_step !== null ? 'compare' : 'train';
}
