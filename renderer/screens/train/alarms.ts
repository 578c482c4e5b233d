// Alarms: what a person should know of a run although nothing stops it, each with what to do. Worked out of what is shown.
import type { WatchedRun } from '../../state/run-watch.ts';
import { statusLooks } from '../../state/run-status.ts';
import { scoredSteps, scoreLines } from '../../ui/score-lines.ts';
import { smoothing, smoothingSpan } from '../../ui/loss-data.ts';
import type { Problem } from '../../../shared/doctor.ts';
import type { Language } from '../../../shared/persona.ts';

export type Alarm =
  /** The smoothed loss is several times the least that it was. */
  | { alarm: 'rose'; times: number; step: number }
  /** A loss is no number. */
  | { alarm: 'broken'; step: number }
  /** The smoothed loss is not lower than it was `steps` steps ago. */
  | { alarm: 'stuck'; steps: number }
  /** It knows itself, and says so where nobody asked. */
  | { alarm: 'leaks'; lang: Language; share: number }
  | { alarm: 'disk'; free: number }
  | { alarm: 'elsewhere'; began: string; now: string }
  /** There is a card, and it does not compute. */
  | ({ alarm: 'no_card' } & Problem)
  | { alarm: 'damaged'; step: number; from: number };

type Watched = Pick<WatchedRun, 'status' | 'steps' | 'metrics' | 'checkpoints' | 'recipe' | 'warnings' | 'free_disk_bytes'>;

/** A loss that rose to this many times its least has left what it had learnt. */
const ROSE = 3;
/** Before so many steps a curve says nothing. */
const SOONEST = 10;
/** Of a run's steps, the share over which the loss has to fall by LEAST_FALL to count as learning. */
const STUCK_SHARE = 0.4;
const LEAST_FALL = 0.03;
/** A leak far above its limit; a little above is what the next steps usually mend. */
const MUCH_LEAK = 0.15;
/** Checkpoints are written beside each other before the older one goes; the database and the answers need room as well. */
const LOW_DISK_BYTES = 1e9;

/** What should be known of a run, the most urgent first. */
export function alarmsOf(run: Watched): Alarm[] {
  return [...ofDisk(run), ...ofLoss(run), ...ofScores(run), ...run.warnings.map(ofWarning)];
}

function ofDisk({ status, free_disk_bytes }: Watched): Alarm[] {
  return statusLooks[status].active && free_disk_bytes < LOW_DISK_BYTES ? [{ alarm: 'disk', free: free_disk_bytes }] : [];
}

function ofLoss({ status, steps, metrics, checkpoints }: Watched): Alarm[] {
  const over = Math.ceil(STUCK_SHARE * steps);
  const smooth = smoothing(smoothingSpan(steps));
  let [now, least, lowest, then] = [0, Infinity, 0, null as number | null];
  // One pass: this is worked out with every piece of a curve that may have a hundred thousand steps.
  for (const [i, { step, loss }] of metrics.entries()) {
    if (!Number.isFinite(loss)) return [{ alarm: 'broken', step }];
    now = smooth(loss);
    if (now < least) [least, lowest] = [now, step];
    if (i === metrics.length - 1 - over) then = now;
  }
  if (!statusLooks[status].active || metrics.length < SOONEST) return [];
  const times = now / least;
  if (times >= ROSE) return [{ alarm: 'rose', times: Math.round(times), step: lowest }];
  // Once it is right there is nothing left to fall for.
  if (then === null || over < SOONEST || checkpoints.some(({ right }) => right)) return [];
  return now > (1 - LEAST_FALL) * then ? [{ alarm: 'stuck', steps: over }] : [];
}

function ofScores({ checkpoints, recipe }: Watched): Alarm[] {
  const last = scoredSteps(checkpoints).at(-1);
  if (last === undefined || last.step === 0 || last.right) return [];
  const lines = scoreLines(last.scores, null, recipe.evaluate?.limits ?? null, { now: null, before: null });
  const knows = lines.filter(({ kind }) => kind === 'knows');
  if (knows.length === 0 || knows.some(({ enough }) => enough !== true)) return [];
  return lines.flatMap(({ kind, lang, now, enough }): Alarm[] =>
    kind === 'leaves' && lang !== null && enough === false && 1 - now > MUCH_LEAK ? [{ alarm: 'leaks', lang, share: 1 - now }] : [],
  );
}

function ofWarning(warning: Watched['warnings'][number]): Alarm {
  if (warning.warning === 'resumed_elsewhere') return { alarm: 'elsewhere', began: warning.began, now: warning.now };
  if (warning.warning === 'no_card') return { alarm: 'no_card', code: warning.code, detail: warning.detail };
  return { alarm: 'damaged', step: warning.step, from: warning.from };
}

/** What makes an alarm the same one as before, whatever its numbers are meanwhile; no two of a run's alarms have the same. */
export function keyOf(alarm: Alarm): string {
  switch (alarm.alarm) {
    case 'leaks':
      return `leaks ${alarm.lang}`;
    case 'elsewhere':
      return `elsewhere ${alarm.began} ${alarm.now}`;
    case 'no_card':
      return `no_card ${alarm.detail}`;
    case 'damaged':
      return `damaged ${alarm.step} ${alarm.from}`;
    default:
      return alarm.alarm;
  }
}
