// Hub reply: what a hub answers to one question. A reply that is lost is asked for once more.
import { setTimeout as sleep } from 'node:timers/promises';
import { AddressError, open, readBytes, type OpenOptions } from '../../tools/http.mjs';
import { credentialsOf, type Hub } from '../../tools/hubs.mjs';

const ATTEMPTS = 2;
const PAUSE_MS = 500;

/** A hub that did not tell; `why` as in a download. */
export class HubError extends Error {
  readonly why: 'denied' | 'missing' | 'lost';

  constructor(why: 'denied' | 'missing' | 'lost', message: string) {
    super(message);
    this.why = why;
  }
}

async function askOnce(hub: Hub, address: string, limit: number, options: OpenOptions): Promise<Buffer> {
  const reply = await open(address, { ...options, credentials: credentialsOf(hub) });
  const status = reply.statusCode ?? 0;
  if (status !== 200) {
    reply.destroy();
    const text = `the server answered ${status}`;
    if (status === 401 || status === 403) throw new HubError('denied', text);
    throw status >= 500 || status === 429 ? new Error(text) : new HubError('missing', text);
  }
  return readBytes(reply, limit);
}

/**
 * What `read` makes of a hub's reply of at most `limit` bytes. Throws HubError, also `read`'s (what else it throws counts as
 * lost); an abort as its reason.
 */
export async function askHub<T>(hub: Hub, address: string, limit: number, options: OpenOptions, read: (reply: Buffer) => T): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return read(await askOnce(hub, address, limit, options));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof HubError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (tried === ATTEMPTS || error instanceof AddressError) throw new HubError('lost', message);
      await sleep(PAUSE_MS);
    }
  }
}
