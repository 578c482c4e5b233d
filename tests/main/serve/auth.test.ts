// Sessions: how they end, and how many there are.
import { describe, expect, it } from 'vitest';
import { Auth, IDLE_MS, MAX_SESSIONS } from '../../../main/serve/auth.ts';
import { TokenBucket, TokenBuckets } from '../../../main/token-bucket.ts';

function authAt(): { auth: Auth; at: { now: number }; open: () => string } {
  const at = { now: 0 };
  const auth = new Auth({ burst: 1, per_second: 1 }, () => at.now);
  const open = (): string => {
    const secret = auth.exchange(auth.newToken());
    if (secret === null) throw new Error('the token is fresh');
    return secret;
  };
  return { auth, at, open };
}

describe('Auth', () => {
  it('finds a session by its secret alone', () => {
    const { auth, open } = authAt();
    const secret = open();
    expect(auth.find(secret)).not.toBeNull();
    for (const other of [undefined, '', secret.slice(1), `${secret}A`, secret.toLowerCase()]) expect(auth.find(other)).toBeNull();
    expect(JSON.stringify(auth.find(secret))).not.toContain(secret);
  });

  it('ends a session that was idle for twelve hours, and tells what hangs on it', () => {
    const { auth, at, open } = authAt();
    const secret = open();
    let ended = 0;
    auth.find(secret)?.onEnd(() => (ended += 1));
    at.now += IDLE_MS;
    expect(auth.find(secret)).not.toBeNull();
    at.now += IDLE_MS + 1;
    expect(auth.find(secret)).toBeNull();
    expect(ended).toBe(1);
  });

  it('sweeps idle sessions nobody asks for', () => {
    const { auth, at, open } = authAt();
    let ended = false;
    auth.find(open())?.onEnd(() => (ended = true));
    at.now += IDLE_MS + 1;
    auth.sweep();
    expect(ended).toBe(true);
  });

  it('keeps a bounded number: the one that was idle longest gives way', () => {
    const { auth, at, open } = authAt();
    const secrets = Array.from({ length: MAX_SESSIONS }, () => {
      at.now += 1;
      return open();
    });
    at.now += 1;
    auth.find(secrets[0]);
    open();
    expect(auth.find(secrets[0])).not.toBeNull();
    expect(auth.find(secrets[1])).toBeNull();
    expect(auth.find(secrets[2])).not.toBeNull();
  });

  it('has a token only after one was asked for, and none after its use', () => {
    const { auth } = authAt();
    expect(auth.exchange('')).toBeNull();
    const token = auth.newToken();
    expect(auth.exchange(token)).not.toBeNull();
    expect(auth.exchange(token)).toBeNull();
  });
});

describe('TokenBucket', () => {
  it('lets a burst through, then so many a second, and saves up no more than the burst', () => {
    let now = 0;
    const bucket = new TokenBucket({ burst: 3, per_second: 2 }, () => now);
    const taken = (times: number): number => Array.from({ length: times }, () => bucket.take()).filter(Boolean).length;
    expect(taken(10)).toBe(3);
    now += 500;
    expect(taken(10)).toBe(1);
    now += 1_000_000;
    expect(taken(10)).toBe(3);
  });

  it('is one for each key, and forgets the one that was seen longest ago', () => {
    const buckets = new TokenBuckets({ burst: 1, per_second: 0 }, () => 0, 2);
    expect([buckets.take('a'), buckets.take('a'), buckets.take('b'), buckets.take('a')]).toEqual([true, false, true, false]);
    expect(buckets.take('c')).toBe(true);
    expect([buckets.take('a'), buckets.take('b')]).toEqual([false, true]);
  });
});
