// Life: the row that is looked at, on its way into training. Its place takes longer than its tokens and comes by itself.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { RowLife, RowPlace } from '../../../shared/row-life.ts';
import type { Api } from '../../api.ts';
import type { Subject } from './row-pages.svelte.ts';

/** How long one stays at a row before it is looked at closely, in milliseconds: arrow keys pass many by. */
export const PASSING_MS = 150;

export class LifeState {
  #life = $state.raw<RowLife | null>(null);
  /** null = the model is not here. */
  #place = $state.raw<RowPlace | null>(null);
  #placed = $state.raw(false);
  #error = $state.raw<NamesakeError | null>(null);
  #placeError = $state.raw<NamesakeError | null>(null);
  #number: number | null = null;
  /** Counts up with every question: answers to older ones are not taken. */
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #api: Pick<Api, 'request'>;
  readonly #of: Subject;

  constructor(api: Pick<Api, 'request'>, of: Subject) {
    this.#api = api;
    this.#of = of;
  }

  /** What is known of the row; the last one's until this one's is there. null before the first. */
  get life(): RowLife | null {
    return this.#life;
  }

  get error(): NamesakeError | null {
    return this.#error;
  }

  /** Where it is packed; null where that is not known, or the model is not here. */
  get place(): RowPlace | null {
    return this.#place;
  }

  /** Whether `place` says all that can be said: else it is being worked out. */
  get placed(): boolean {
    return this.#placed;
  }

  get placeError(): NamesakeError | null {
    return this.#placeError;
  }

  /** Looks at another row; null at none. */
  look(number: number | null): void {
    if (number === this.#number) return;
    this.#number = number;
    clearTimeout(this.#timer);
    this.#asked++;
    if (number === null) return this.#forget();
    this.#timer = setTimeout(() => void this.#read(number), PASSING_MS);
  }

  /** Looks again: the row, others, or the recipe may have changed, or a model came. */
  again(): void {
    clearTimeout(this.#timer);
    this.#asked++;
    if (this.#number !== null) void this.#read(this.#number);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asked++;
  }

  #forget(): void {
    this.#life = this.#place = this.#error = this.#placeError = null;
    this.#placed = false;
  }

  async #read(number: number): Promise<void> {
    const mine = this.#asked;
    const subject = { of: this.#of, number };
    if (this.#life?.number !== number) {
      this.#place = null;
      this.#placed = false;
    }
    try {
      const life = await this.#api.request('rows.life', subject);
      if (mine !== this.#asked) return;
      this.#life = life;
      this.#error = this.#placeError = null;
    } catch (error) {
      if (mine === this.#asked) {
        this.#forget();
        this.#error = toNamesakeError(error);
      }
      return;
    }
    try {
      const place = await this.#api.request('rows.place', subject);
      if (mine !== this.#asked) return;
      this.#place = place;
    } catch (error) {
      const { code } = toNamesakeError(error);
      // What was cut off by something that takes the machine is asked for again with the next change.
      if (mine !== this.#asked || code === 'cancelled') return;
      this.#place = null;
      this.#placeError = toNamesakeError(error);
    }
    this.#placed = true;
  }
}
