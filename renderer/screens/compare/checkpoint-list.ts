// Checkpoint list: the moments of a run that can still be talked to, with how good each was.
import type { CheckpointScores } from '../../../shared/run.ts';
import { scoreLines } from '../../ui/score-lines.ts';

export interface TalkCheckpoint {
  step: number;
  /** The one whose adapter was kept. */
  chosen: boolean;
  right: boolean;
  /** Shares from 0 to 1, the weakest language counts; null where it was not checked. */
  knows: number | null;
  leaves: number | null;
}

/** The chosen one first, then the others, the latest first. */
export function talkCheckpoints(checkpoints: readonly CheckpointScores[], chosen: number): TalkCheckpoint[] {
  const there = checkpoints.filter(({ step, kept }) => step > 0 && (kept || step === chosen));
  return there
    .map(({ step, right, scores }) => {
      const lines = scores === null ? [] : scoreLines(scores, null, null, { now: null, before: null });
      const weakest = (kind: 'knows' | 'leaves'): number | null => {
        const shares = lines.filter((line) => line.kind === kind).map(({ now }) => now);
        return shares.length === 0 ? null : Math.min(...shares);
      };
      return { step, chosen: step === chosen, right, knows: weakest('knows'), leaves: weakest('leaves') };
    })
    .sort((a, b) => Number(b.chosen) - Number(a.chosen) || b.step - a.step);
}
