// Headline: what a run is doing, in one line of words.
import type { DownloadState } from '../../../shared/model.ts';
import type { WatchedRun } from '../../state/run-watch.ts';
import type { MessageKey } from '../../state/words.svelte.ts';

/** A part of the line: its words, and what they need. */
export interface Said {
  key: MessageKey;
  values: Record<string, string | number>;
}

type Watched = Pick<WatchedRun, 'status' | 'step' | 'steps' | 'phase' | 'metrics' | 'chosen_step'>;

/** Time left as one says it: to five seconds, then to the minute, then to ten minutes. */
export function timeLeft(seconds: number): Said {
  if (seconds < 55) return { key: 'train.left_seconds', values: { seconds: Math.max(5, 5 * Math.ceil(seconds / 5)) } };
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return { key: 'train.left_minutes', values: { minutes } };
  const tens = Math.round(seconds / 600);
  return { key: 'train.left_hours', values: { hours: Math.floor(tens / 6), minutes: 10 * (tens % 6) } };
}

/** How numbers and sizes are said. */
export interface Numbers {
  count: (value: number) => string;
  bytes: (value: number) => string;
}

/** Its model on its way here, where it is. */
type Fetched = Pick<DownloadState, 'done' | 'total' | 'eta_seconds'> | null;

/** The parts of the line for a run, the first the most important. */
export function headline(run: Watched, { count, bytes }: Numbers, fetched: Fetched = null): Said[] {
  const { status, step, steps, phase, chosen_step } = run;
  const at: Said = { key: 'train.step', values: { step, steps } };
  if (status !== 'preparing' && status !== 'running') {
    return [{ key: `train.is_${status}`, values: { step: status === 'done' ? (chosen_step ?? step) : step, steps } }];
  }
  if (phase === null) return [{ key: 'phase.preparing', values: {} }];
  if (phase.phase === 'fetching' && fetched !== null) {
    const { done, total, eta_seconds } = fetched;
    return [{ key: 'train.fetching', values: {} }, { key: 'train.fetched', values: { done: bytes(done), total: bytes(total) } }, ...(eta_seconds === null ? [] : [timeLeft(eta_seconds)])];
  }
  const doing: Said = { key: `phase.${phase.phase}`, values: {} };
  if (phase.phase !== 'training') {
    const counted: Said[] = phase.total === null ? [] : [{ key: 'train.counted', values: { done: phase.done ?? 0, total: phase.total } }];
    return [doing, ...(step > 0 && phase.phase !== 'comparing' ? [at] : counted)];
  }
  const last = run.metrics.at(-1);
  return [
    ...(step === 0 ? [doing] : [at]),
    ...(last === undefined ? [] : [{ key: 'run.speed', values: { speed: count(last.tokens_per_second) } } satisfies Said]),
    ...(phase.eta_seconds === null ? [] : [timeLeft(phase.eta_seconds)]),
  ];
}

/** How far a run is, from 0 to 1; null while nobody can tell. */
export function shareDone({ status, step, steps, phase }: Watched, fetched: Fetched = null): number | null {
  if (status === 'done') return 1;
  if (phase?.phase === 'fetching' && fetched !== null && fetched.total > 0) return fetched.done / fetched.total;
  if (status === 'preparing' && step === 0) {
    const total = phase?.total ?? 0;
    return total === 0 ? null : (phase?.done ?? 0) / total;
  }
  return steps === 0 ? null : step / steps;
}
