// Sockets: requests and events of the windows over web sockets. What is slow, dead or too much is cut; the rest is the API's.
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import type { Reply } from '../../shared/api.ts';
import type { Api } from '../api/api.ts';
import type { EventWindow } from '../api/event-hub.ts';
import type { Session } from './auth.ts';
import type { Refusals } from './refusals.ts';

export interface SocketLimits {
  /** Sockets at the same time. */
  sockets: number;
  /** Requests of one socket that are not answered yet. */
  in_flight: number;
  /** Bytes waiting to be sent beyond which events are held back. */
  slow_bytes: number;
  /** Bytes waiting to be sent beyond which nothing more is read. */
  stuck_bytes: number;
  /** Milliseconds without a sign of life after which a socket is cut. */
  silent_ms: number;
  /** Milliseconds between two looks at that. */
  beat_ms: number;
}

export const socketLimits: SocketLimits = {
  sockets: 32,
  in_flight: 32,
  slow_bytes: 1_000_000,
  stuck_bytes: 4_000_000,
  silent_ms: 30_000,
  beat_ms: 10_000,
};

/** Close codes of the web socket protocol, and one of this program's own. */
const GOING_AWAY = 1001;
const SIGNED_OUT = 4401;

const messageSchema = z.strictObject({
  id: z.int().min(0),
  /** What may be asked is the API's to know. */
  name: z.unknown(),
  input: z.unknown(),
});

/** The id of a message that is not worth reading whole: it stands first in what the page sends. */
function idOf(text: string): number | null {
  const id = /^\{"id":(\d{1,15})[,}]/.exec(text.slice(0, 32))?.[1];
  return id === undefined ? null : Number(id);
}

function refusal(error: NamesakeError): Reply {
  return { ok: false, error: { code: error.code, detail: error.detail, params: error.params } };
}

/** One window's socket. */
class Socket {
  readonly session: Session;
  readonly #socket: WebSocket;
  readonly #api: Pick<Api, 'request' | 'subscribe'>;
  readonly #refusals: Refusals;
  readonly #limits: SocketLimits;
  readonly #now: () => number;
  readonly #window: EventWindow;
  #inFlight = 0;
  #alive: number;

  constructor(
    socket: WebSocket,
    session: Session,
    api: Pick<Api, 'request' | 'subscribe'>,
    refusals: Refusals,
    limits: SocketLimits,
    now: () => number,
  ) {
    this.session = session;
    this.#socket = socket;
    this.#api = api;
    this.#refusals = refusals;
    this.#limits = limits;
    this.#now = now;
    this.#alive = now();
    this.#window = {
      send: (events) => this.#send({ events }),
      ready: () => socket.readyState === socket.OPEN && socket.bufferedAmount < limits.slow_bytes,
    };
    const unsubscribe = api.subscribe(this.#window);
    const offEnd = session.onEnd(() => this.close(SIGNED_OUT, 'signed out'));
    socket.on('pong', () => this.#heard());
    socket.on('message', (data, isBinary) => {
      this.#heard();
      void this.#take(data, isBinary);
    });
    // The web socket library has closed it by then, with the code that fits.
    socket.on('error', (error) => {
      const tooLarge = 'code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
      this.#refuse(new NamesakeError(tooLarge ? 'request.too_large' : 'request.invalid', tooLarge ? 'a message is over the limit' : 'not the web socket protocol'));
    });
    socket.on('close', () => {
      unsubscribe();
      offEnd();
    });
  }

  #heard(): void {
    this.#alive = this.#now();
    this.session.last_seen = this.#alive;
  }

  /** Cuts the socket where it was silent too long, and asks for the next sign of life. */
  beat(): void {
    if (this.#now() - this.#alive > this.#limits.silent_ms) this.#socket.terminate();
    else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  /** Says goodbye; cut where that is not answered. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#socket.resume();
  }

  /** Cuts the connection at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  #refuse(error: NamesakeError): Reply {
    this.#refusals.note(error, this.session.name);
    return refusal(error);
  }

  #send(message: object): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message), () => {
      if (socket.isPaused && socket.bufferedAmount < this.#limits.slow_bytes) socket.resume();
    });
    // Who does not read the answers is not asked for more questions, and cut when silent for too long.
    if (socket.bufferedAmount > this.#limits.stuck_bytes) socket.pause();
  }

  async #take(data: RawData, isBinary: boolean): Promise<void> {
    const text = isBinary ? '' : String(data);
    const reply = (id: number | null, answer: Reply): void => this.#send({ id, ...answer });
    if (!this.session.bucket.take()) {
      return reply(idOf(text), this.#refuse(new NamesakeError('request.too_many', 'messages come too fast')));
    }
    const message = parseMessage(text);
    if (message === null) return reply(idOf(text), this.#refuse(new NamesakeError('request.invalid', 'not a request')));
    if (this.#inFlight >= this.#limits.in_flight) {
      return reply(message.id, this.#refuse(new NamesakeError('request.too_many', 'too many requests wait for their answers')));
    }
    this.#inFlight += 1;
    const answer = await this.#api.request(message.name, message.input, this.#window);
    this.#inFlight -= 1;
    reply(message.id, answer);
  }
}

/** The request in a message; null where it is none. */
function parseMessage(text: string): z.output<typeof messageSchema> | null {
  try {
    return messageSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export class Sockets {
  readonly #api: Pick<Api, 'request' | 'subscribe'>;
  readonly #refusals: Refusals;
  readonly #limits: SocketLimits;
  readonly #now: () => number;
  readonly #open = new Set<Socket>();

  constructor(api: Pick<Api, 'request' | 'subscribe'>, refusals: Refusals, limits: SocketLimits, now: () => number) {
    this.#api = api;
    this.#refusals = refusals;
    this.#limits = limits;
    this.#now = now;
  }

  /** Whether there is no room for another one. */
  get full(): boolean {
    return this.#open.size >= this.#limits.sockets;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Serves a window's socket until it closes. */
  add(raw: WebSocket, session: Session): void {
    const socket = new Socket(raw, session, this.#api, this.#refusals, this.#limits, this.#now);
    this.#open.add(socket);
    raw.on('close', () => this.#open.delete(socket));
  }

  /** Looks after all sockets; to be called every `beat_ms`. */
  beat(): void {
    for (const socket of this.#open) socket.beat();
  }

  /** Says goodbye to all and cuts those that do not answer within `patience_ms`. */
  async close(patience_ms = 1000): Promise<void> {
    for (const socket of this.#open) socket.close(GOING_AWAY, 'the program ends');
    const end = performance.now() + patience_ms;
    while (this.#open.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const socket of this.#open) socket.terminate();
  }
}
