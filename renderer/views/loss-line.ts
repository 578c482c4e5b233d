// Loss line: the loss of every step as a line, with its last value in words.
import type { StoredMetric } from '../../shared/api.ts';
import { svg, View, h } from '../dom.ts';
import { t } from '../words.ts';

const WIDTH = 600;
const HEIGHT = 140;
const PAD = 6;
/** More points than this cannot be told apart in the picture. */
const MOST_POINTS = 600;

/** The corners of the line: x runs from step 1 to `steps`, y from 0 to the largest loss; at most MOST_POINTS of them. */
export function linePoints(metrics: readonly StoredMetric[], steps: number): string {
  const highest = metrics.reduce((most, { loss }) => Math.max(most, loss), 0) || 1;
  const every = Math.ceil(metrics.length / MOST_POINTS);
  const shown = metrics.filter((_, i) => i % every === 0 || i === metrics.length - 1);
  return shown
    .map(({ step, loss }) => {
      const x = PAD + ((step - 1) / Math.max(1, steps - 1)) * (WIDTH - 2 * PAD);
      const y = HEIGHT - PAD - (loss / highest) * (HEIGHT - 2 * PAD);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}

export class LossLine extends View {
  override readonly element: HTMLElement;
  readonly #line = svg('polyline', { class: 'loss-line', points: '' });
  #metrics: readonly StoredMetric[] = [];
  #steps = 1;

  constructor() {
    super();
    const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, this.#line);
    const words = this.text(() => {
      const last = this.#metrics.at(-1);
      return last === undefined ? t('run.loss') : t('run.loss_now', { loss: last.loss.toFixed(3), step: String(last.step) });
    });
    this.element = h('figure', { class: 'loss', hidden: true }, picture, h('figcaption', {}, words));
  }

  /** Draws these steps of a run of `steps`. */
  show(metrics: readonly StoredMetric[], steps: number): void {
    if (metrics === this.#metrics && steps === this.#steps) return;
    this.#metrics = metrics;
    this.#steps = steps;
    this.element.hidden = metrics.length === 0;
    this.#line.setAttribute('points', linePoints(metrics, steps));
    this.update();
  }
}
