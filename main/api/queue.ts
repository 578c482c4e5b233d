// Queue: work that starts an engine host of its own is done one piece after the other, however many windows ask for it.
import { NamesakeError } from '../../shared/errors.ts';

/** More than a person clicks on while the first is being done. */
const MOST_WAITING = 8;

export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Runs `work` when everything before it is done. Throws request.too_many where too much waits already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MOST_WAITING) throw new NamesakeError('request.too_many', `${MOST_WAITING} things wait for their turn`);
    this.#waiting++;
    const done = this.#last.then(work).finally(() => this.#waiting--);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
