// Loss plot: a loss chart on its canvas, by uPlot. LossChart.svelte gives it data and takes what the pointer shows.
import uPlot from 'uplot';
import { lossColumns, lossRange, lossTicks, shownSteps, smoothingSpan, type LossCurve } from './loss-data.ts';
import { Redraw } from './redraw.ts';

/** A step that is marked: a checkpoint, or the one that was chosen. */
export interface LossMark {
  step: number;
  kind: 'saved' | 'chosen';
}

export interface LossPicture {
  curves: readonly LossCurve[];
  marks: readonly LossMark[];
  /** Steps that the whole run has: the scale's end, where it goes on. */
  steps: number;
}

/** Colours as the page's theme has them now. */
export interface LossColours {
  curves: readonly string[];
  grid: string;
  words: string;
  saved: string;
  chosen: string;
  font: string;
}

const HEIGHT = 240;
/** Pixels between two marks, at least. */
const MARKS_APART = 28;

export class LossPlot {
  readonly #box: HTMLElement;
  readonly #colours: () => LossColours;
  readonly #onHover: (step: number | null) => void;
  readonly #redraw = new Redraw(() => this.#draw());
  readonly #sizes: ResizeObserver;
  readonly #themes: (() => void)[];
  #picture: LossPicture = { curves: [], marks: [], steps: 1 };
  #plot: uPlot | null = null;
  /** How many curves the plot was made for. */
  #made = 0;
  #look: LossColours;

  /** Draws into `box`, as wide as it is. `onHover` hears the step under the pointer. */
  constructor(box: HTMLElement, colours: () => LossColours, onHover: (step: number | null) => void) {
    this.#box = box;
    this.#colours = colours;
    this.#onHover = onHover;
    this.#look = colours();
    this.#sizes = new ResizeObserver(() => this.#redraw.want());
    this.#sizes.observe(box);
    const repaint = (): void => {
      this.#look = this.#colours();
      this.#redraw.want();
    };
    const observer = new MutationObserver(repaint);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const queries = ['(prefers-color-scheme: dark)', '(prefers-contrast: more)'].map((query) => matchMedia(query));
    for (const query of queries) query.addEventListener('change', repaint);
    this.#themes = [() => observer.disconnect(), ...queries.map((query) => () => query.removeEventListener('change', repaint))];
  }

  /** Shows another picture; drawn with the next frame. */
  show(picture: LossPicture): void {
    this.#picture = picture;
    this.#redraw.want();
  }

  close(): void {
    this.#redraw.close();
    this.#sizes.disconnect();
    for (const end of this.#themes) end();
    this.#plot?.destroy();
  }

  #draw(): void {
    const width = Math.floor(this.#box.clientWidth);
    if (width === 0) return;
    const { curves, steps } = this.#picture;
    if (this.#plot !== null && this.#made !== curves.length) {
      this.#plot.destroy();
      this.#plot = null;
    }
    const data = lossColumns(curves, smoothingSpan(steps), width);
    if (this.#plot === null) {
      this.#plot = new uPlot(this.#options(width, curves.length), data, this.#box);
      this.#made = curves.length;
      return;
    }
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
    this.#plot.setData(data);
  }

  #options(width: number, curves: number): uPlot.Options {
    const look = (): LossColours => this.#look;
    const axis: uPlot.Axis = { stroke: () => look().words, grid: { stroke: () => look().grid, width: 1 }, ticks: { show: false }, font: look().font };
    return {
      width,
      height: HEIGHT,
      // Room for half of the last step's number.
      padding: [12, 24, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        // Steps begin at 1; one alone still has a width.
        x: { time: false, range: (_plot, least, greatest) => [Math.min(1, least ?? 1), Math.max(2, shownSteps(this.#picture.steps, greatest ?? 1))] },
        y: { distr: 3, range: (_plot, least, greatest) => lossRange(least, greatest) },
      },
      axes: [
        { ...axis, size: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000], space: 56 },
        {
          ...axis,
          size: 52,
          splits: (_plot, _axis, least, greatest) => lossTicks(least, greatest),
          filter: (_plot, splits) => splits,
          values: (_plot, splits) => splits.map((loss) => String(Number(loss.toPrecision(2)))),
        },
      ],
      series: [
        {},
        ...Array.from({ length: curves }, (_, i): uPlot.Series[] => {
          const stroke = (): string => look().curves[i % look().curves.length] ?? 'currentColor';
          return [
            { stroke, width: 1, alpha: 0.4, spanGaps: true, points: { show: false } },
            { stroke, width: 2.5, spanGaps: true, points: { show: false } },
          ];
        }).flat(),
      ],
      hooks: {
        drawAxes: [(plot) => this.#mark(plot)],
        setCursor: [(plot) => this.#onHover(plot.data[0][plot.cursor.idx ?? -1] ?? null)],
      },
    };
  }

  /** Marks behind the curve: a dashed line for a checkpoint, a full one with a flag for the chosen step. */
  #mark(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const pixel = devicePixelRatio;
    let last = -Infinity;
    ctx.save();
    for (const { step, kind } of this.#picture.marks) {
      const x = Math.round(plot.valToPos(step, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      // Many checks become a picket fence in front of the curve.
      if (kind === 'saved' && x - last < MARKS_APART * pixel) continue;
      last = x;
      ctx.strokeStyle = ctx.fillStyle = kind === 'chosen' ? this.#look.chosen : this.#look.saved;
      ctx.lineWidth = (kind === 'chosen' ? 2 : 1) * pixel;
      ctx.setLineDash(kind === 'chosen' ? [] : [3 * pixel, 4 * pixel]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (kind !== 'chosen') continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x + 10 * pixel, bbox.top + 5 * pixel);
      ctx.lineTo(x, bbox.top + 10 * pixel);
      ctx.fill();
    }
    ctx.restore();
  }
}
