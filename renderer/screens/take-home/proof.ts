// Proof: whether the exported files answer as the run's chosen checkpoint did.
import type { ScoreCount, Scores } from '../../../shared/run.ts';

export type Verdict =
  /** As good as in training, or better. */
  | 'same'
  /** Fewer right answers than in training. */
  | 'less'
  /** There is nothing to compare with, or nothing was asked. */
  | 'alone'
  | 'unasked';

/** Shares are counted in whole questions: what lies closer together than this is the same. */
const SAME = 1e-6;

/** What the exported files' answers are worth beside those of training, where these are known. */
export function verdictOf(count: ScoreCount | null, exported: Scores | null, trained: Scores | null): Verdict {
  if (count === null || exported === null) return 'unasked';
  if (trained === null) return 'alone';
  const isLess = (['zh', 'en'] as const).some((language) => {
    const [now, then] = [exported[language], trained[language]];
    return now !== undefined && then !== undefined && (now.recall < then.recall - SAME || now.leak > then.leak + SAME);
  });
  return isLess ? 'less' : 'same';
}
