// Token bucket: so many requests a second on average, with a burst above it.

/** How fast something may go: `burst` at once, then `per_second` on average. */
export interface Rate {
  burst: number;
  per_second: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** `now` in milliseconds; a monotonic clock. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
    this.#tokens = rate.burst;
    this.#at = now();
  }

  /** Whether one more request fits now; if so it is counted. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#at) / 1000) * this.#rate.per_second);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** One bucket for each key that was seen lately. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #limit: number;
  readonly #buckets = new Map<string, TokenBucket>();

  /** At most `limit` keys are remembered: beyond them the one that was seen longest ago starts afresh. */
  constructor(rate: Rate, now: () => number, limit: number) {
    this.#rate = rate;
    this.#now = now;
    this.#limit = limit;
  }

  /** Whether one more request of `key` fits now; if so it is counted. */
  take(key: string): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#rate, this.#now);
    // A map keeps the order of insertion: taking a key out and putting it back makes it the latest.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#limit) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket.take();
  }
}
