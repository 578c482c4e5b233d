// Wishes: what a person asks of a run that goes on. A stronger wish takes the place of a weaker one, never the reverse.
import { NamesakeError } from '../../shared/errors.ts';

/** From the weakest to the strongest: to be gone on with later; stop and keep; throw away. */
const wishes = ['pause', 'stop', 'cancel'] as const;
export type Wish = (typeof wishes)[number];

export class Wishes {
  readonly #asked = Promise.withResolvers<undefined>();
  readonly #abort = new AbortController();
  #strongest: Wish | null = null;

  get strongest(): Wish | null {
    return this.#strongest;
  }

  /** Aborted as soon as anything is asked. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  ask(wish: Wish): void {
    if (this.#strongest === null || wishes.indexOf(wish) > wishes.indexOf(this.#strongest)) this.#strongest = wish;
    this.#asked.resolve(undefined);
    this.#abort.abort();
  }

  /** Throws `cancelled` once anything was asked; `during` says what is left undone. */
  check(during: string): void {
    if (this.#strongest !== null) throw new NamesakeError('cancelled', `${this.#strongest} ${during}`);
  }

  /** The result of `work`, or `cancelled` as soon as anything is asked: what cannot be cut off is then left to itself. */
  async unlessAsked<T>(during: string, work: Promise<T>): Promise<T> {
    const asked = this.#asked.promise.then((): never => {
      throw new NamesakeError('cancelled', `${this.#strongest ?? ''} ${during}`);
    });
    return Promise.race([work, asked]);
  }
}
