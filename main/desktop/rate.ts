// Rate: how many requests a page may make; a person makes few, a page that went wild makes thousands.

export class Rate {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  /** `burst` at once, and `perSecond` on average. `now` is in milliseconds. */
  constructor(burst: number, perSecond: number, now = performance.now()) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#at = now;
  }

  /** Counts one request; false where it is one too many. */
  take(now = performance.now()): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
