// Auth: the one-time token of the printed address, and the sessions that it opens. Only hashes are kept, in memory alone.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { TokenBucket, type Rate } from '../token-bucket.ts';

/** A session ends when it was idle for this long. */
export const IDLE_MS = 12 * 3600 * 1000;
/** Beyond these the session that was idle longest ends. */
export const MAX_SESSIONS = 32;

/** 256 random bits as they stand in an address or a cookie. */
function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** A browser that exchanged a token. */
export class Session {
  /** Names the session in the log; says nothing about its secret. */
  readonly name = randomBytes(4).toString('hex');
  readonly bucket: TokenBucket;
  /** Whether a file is on its way in. */
  uploading = false;
  last_seen: number;
  readonly #onEnd = new Set<() => void>();

  constructor(rate: Rate, now: () => number) {
    this.bucket = new TokenBucket(rate, now);
    this.last_seen = now();
  }

  /** Calls `listener` when the session ends; returns how to no longer be told. */
  onEnd(listener: () => void): () => void {
    this.#onEnd.add(listener);
    return () => this.#onEnd.delete(listener);
  }

  /** Tells what hangs on the session that it is over. */
  end(): void {
    for (const listener of [...this.#onEnd]) listener();
    this.#onEnd.clear();
  }
}

export class Auth {
  readonly #rate: Rate;
  readonly #now: () => number;
  /** Hash of the token that the latest address carries; null once it is used. */
  #token: Buffer | null = null;
  /** By the hash of their secret. */
  readonly #sessions = new Map<string, Session>();

  /** `rate` limits each session; `now` is a monotonic clock in milliseconds. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  /** A fresh token; the one before it no longer opens anything. */
  newToken(): string {
    const token = newSecret();
    this.#token = hash(token);
    return token;
  }

  /** Uses the token up and returns the secret of a new session; null where it is not the one that was printed last. */
  exchange(token: string): string | null {
    // Compared as hashes of equal length: neither the time it takes nor a different length says how much was right.
    if (this.#token === null || !timingSafeEqual(this.#token, hash(token))) return null;
    this.#token = null;
    this.sweep();
    while (this.#sessions.size >= MAX_SESSIONS) this.#end(this.#idlest());
    const secret = newSecret();
    this.#sessions.set(hash(secret).toString('hex'), new Session(this.#rate, this.#now));
    return secret;
  }

  /** The session of a cookie's secret, which is thereby in use; null where there is none. */
  find(secret: string | undefined): Session | null {
    if (secret === undefined || secret === '') return null;
    // Looked up by its hash: how far a guess matches is told by nothing that takes time.
    const key = hash(secret).toString('hex');
    const session = this.#sessions.get(key);
    if (session === undefined) return null;
    if (this.#now() - session.last_seen > IDLE_MS) {
      this.#end(key);
      return null;
    }
    session.last_seen = this.#now();
    return session;
  }

  /** Ends sessions that were idle too long. */
  sweep(): void {
    for (const [key, session] of this.#sessions) {
      if (this.#now() - session.last_seen > IDLE_MS) this.#end(key);
    }
  }

  #idlest(): string {
    const entries = [...this.#sessions];
    return entries.reduce((idlest, entry) => (entry[1].last_seen < idlest[1].last_seen ? entry : idlest))[0];
  }

  #end(key: string): void {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    session?.end();
  }
}
