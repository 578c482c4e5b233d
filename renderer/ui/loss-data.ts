// Loss data: what a loss chart draws, worked out of the steps of a run: smoothed, thinned to the width of the screen, and
// kept within what a logarithmic scale can show.

/** A step as the chart needs it. */
export interface LossPoint {
  step: number;
  loss: number;
  /** Learning rate, where it is known. */
  lr?: number;
  tokens_per_second?: number;
}

/** A run's curve with its name, for one chart of several. */
export interface LossCurve {
  name: string;
  points: readonly LossPoint[];
}

/** Columns as uPlot takes them: steps, then for each curve its loss and its smoothed loss. */
export type LossColumns = [steps: number[], ...losses: (number | null)[][]];

/** A logarithmic scale has no zero: what is less than this is drawn here. */
const LEAST_LOSS = 1e-6;
const span = { least: 5, most: 200, part: 12 };

/** Over how many steps the loss of a run of `steps` is smoothed: a twelfth of them, within 5 and 200. */
export function smoothingSpan(steps: number): number {
  return Math.min(span.most, Math.max(span.least, Math.round(steps / span.part)));
}

/**
 * How many of a run's steps a chart has room for when `last` are done: all of them, halved as long as twice what is done fits.
 * So the beginning of a long run is not squeezed against the axis, and the scale changes a few times only.
 */
export function shownSteps(steps: number, last: number): number {
  let shown = steps;
  while (shown > span.most && shown / 2 >= 2 * last) shown /= 2;
  return Math.ceil(shown);
}

/**
 * The exponential moving average of losses: each step counts 2 / (over + 1), what came before the rest. The beginning is
 * put right by the weights that there are so far (as Adam does it), so that the first value is the first loss. A loss that is no number
 * leaves a gap and does not touch what follows.
 */
export function smoothed(losses: readonly number[], over: number): (number | null)[] {
  const next = smoothing(over);
  return losses.map((loss) => (Number.isFinite(loss) ? next(loss) : null));
}

/** The same loss by loss: takes the next one and gives the average there. */
export function smoothing(over: number): (loss: number) => number {
  const share = 2 / (over + 1);
  let sum = 0;
  let weights = 0;
  return (loss) => {
    sum += share * (loss - sum);
    weights += share * (1 - weights);
    return sum / weights;
  };
}

/**
 * Which points stand for all where `columns` are drawn: in each column of equal width the first, the least, the greatest and
 * the last one, in order. Peaks stay, whatever the width.
 */
export function thinned(points: readonly LossPoint[], columns: number): number[] {
  if (points.length <= 4 * columns) return points.map((_, i) => i);
  const [first, last] = [points[0]?.step ?? 0, points.at(-1)?.step ?? 0];
  const width = (last - first + 1) / columns;
  const kept: number[] = [];
  let at = 0;
  for (let column = 0; at < points.length; column++) {
    const end = column === columns - 1 ? Infinity : first + (column + 1) * width;
    const from = at;
    let [least, greatest] = [at, at];
    for (; at < points.length && (points[at] as LossPoint).step < end; at++) {
      const { loss } = points[at] as LossPoint;
      if (loss < (points[least] as LossPoint).loss) least = at;
      if (loss > (points[greatest] as LossPoint).loss) greatest = at;
    }
    if (at > from) kept.push(...new Set([from, least, greatest, at - 1].sort((a, b) => a - b)));
  }
  return kept;
}

function drawable(loss: number | null): number | null {
  return loss === null || !Number.isFinite(loss) ? null : Math.max(LEAST_LOSS, loss);
}

/** All curves as columns over the steps of all of them, thinned to `columns` of the screen. `over` as `smoothed` takes it. */
export function lossColumns(curves: readonly LossCurve[], over: number, columns: number): LossColumns {
  const drawn = curves.map(({ points }) => {
    const smooth = smoothed(
      points.map(({ loss }) => loss),
      over,
    );
    return new Map(thinned(points, columns).map((i) => [(points[i] as LossPoint).step, [drawable((points[i] as LossPoint).loss), drawable(smooth[i] ?? null)] as const]));
  });
  const steps = [...new Set(drawn.flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
  const losses = drawn.flatMap((points) => [0, 1].map((which) => steps.map((step) => points.get(step)?.[which] ?? null)));
  return [steps, ...losses];
}

/** The least and greatest loss that a scale shows, with a little air; a flat curve stands in the middle. */
export function lossRange(least: number | null, greatest: number | null): [number, number] {
  if (least === null || greatest === null) return [0.1, 10];
  const air = Math.max(1.1, (greatest / least) ** 0.06);
  return [Math.max(LEAST_LOSS / 2, least / air), greatest * air];
}

/** Round losses within a range, where a logarithmic axis has its lines: 1, 2 and 5 of each power of ten, fewer where there are many. */
export function lossTicks(least: number, greatest: number): number[] {
  const of = (digits: readonly number[]): number[] => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(greatest)); power++) {
      for (const digit of digits) found.push(Number(`${digit}e${power}`));
    }
    return found.filter((tick) => tick >= least && tick <= greatest);
  };
  const choices = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9]].map(of);
  return choices.findLast((ticks) => ticks.length <= 7 && ticks.length > 0) ?? [least, greatest];
}

/** At most `most` rows of a table that stands for the curve: evenly apart, with the last step and every step of `marked`. */
export function tableRows(points: readonly LossPoint[], marked: readonly number[], most = 60): LossPoint[] {
  const apart = Math.max(1, Math.ceil(points.length / most));
  return points.filter(({ step }, i) => i % apart === 0 || i === points.length - 1 || marked.includes(step));
}

/** The point at `step`, or the one nearest to it. */
export function pointAt(points: readonly LossPoint[], step: number): LossPoint | null {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle] as LossPoint).step < step) low = middle + 1;
    else high = middle;
  }
  const [after, before] = [points[low], points[low - 1]];
  if (after === undefined || before === undefined) return after ?? before ?? null;
  return after.step - step <= step - before.step ? after : before;
}
