// Phase row: the phases of a run as a person follows them, and how far it is in them.
import type { Phase } from '../../../shared/run-events.ts';

/** In the order in which they come; looking for the model is part of loading it. */
export const shownPhases = ['preparing', 'loading', 'asking', 'training', 'checking', 'saving', 'comparing'] as const;
export type ShownPhase = (typeof shownPhases)[number];

export interface PhaseState {
  phase: ShownPhase;
  state: 'done' | 'now' | 'coming';
}

/** Those that take turns until the last step: none of them is over before all are. */
const turns: readonly ShownPhase[] = ['training', 'checking', 'saving'];

/** The phase as a person follows it; null = before the program said anything. */
export function shownPhase(phase: Phase | null): ShownPhase {
  return phase === null ? 'preparing' : phase === 'fetching' ? 'loading' : phase;
}

/** How far a run is whose program is at `phase`; null = before it said anything. */
export function phaseStates(phase: Phase | null): PhaseState[] {
  const now = shownPhase(phase);
  const at = shownPhases.indexOf(now);
  return shownPhases.map((shown, i) => ({
    phase: shown,
    state: shown === now ? 'now' : i < at && !(turns.includes(shown) && turns.includes(now)) ? 'done' : 'coming',
  }));
}
