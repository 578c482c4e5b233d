// Socket transport: the browser door, over a web socket that comes back by itself. What was asked when it broke is told to
// have failed, and never asked again: the first one may have been done.
import type { ApiEvent, Reply } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Connection, Transport, TransportListener } from './transport.ts';

/** What of the browser's WebSocket is used. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

export interface SocketOptions {
  /** Opens a socket to the door. */
  open: () => Socket;
  /** Whether the door still knows this browser; rejects where the door is not there. */
  admitted: () => Promise<boolean>;
  /** Sends a file; answers as the door does. */
  upload: (file: File) => Promise<Reply>;
  /** Milliseconds to wait before attempt `n` (1, 2, …) to come back. */
  delay?: (attempt: number) => number;
  /** Milliseconds between two looks whether the door is still there. */
  beat_ms?: number;
}

/** Close code of a session that the door ended. */
const SIGNED_OUT = 4401;
/** What browsers say where a connection ended without a word. */
const ABNORMAL = 1006;
const LONGEST_DELAY_MS = 10_000;
/** A connection that died without a word, under a machine that slept, say, is noticed after the third of these. */
const BEAT_MS = 15_000;

/** Doubles from a quarter of a second to ten, off by up to a fifth, so that many tabs do not come at once. */
export function backoff(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, 250 * 2 ** (attempt - 1)) * (0.8 + 0.4 * Math.random());
}

type Message = { events: ApiEvent[] } | ({ id: number | null } & Reply);

class SocketTransport implements Transport {
  readonly #options: Required<SocketOptions>;
  readonly #waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: NamesakeError) => void }>();
  /** Asked before the first connection stood. */
  #early: string[] = [];
  #socket: Socket | null = null;
  #listener: TransportListener | null = null;
  #connection: Connection = 'connecting';
  #nextId = 1;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beats: ReturnType<typeof setInterval> | undefined;
  /** What came since the last look; `asked` = nothing before it either, and the door was asked for a sign of life. */
  #life: 'heard' | 'quiet' | 'asked' = 'heard';
  #closed = false;

  constructor(options: SocketOptions) {
    this.#options = { delay: backoff, beat_ms: BEAT_MS, ...options };
  }

  start(listener: TransportListener): void {
    this.#listener = listener;
    listener.onConnection('connecting');
    this.#open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#beats);
    this.#socket?.close();
    this.#failAll('the page closed it');
  }

  request(name: string, input: unknown): Promise<Reply> {
    if (this.#closed || this.#connection === 'lost' || this.#connection === 'signed_out') {
      return Promise.reject(new NamesakeError('door.lost', 'there is no connection now'));
    }
    const id = this.#nextId++;
    // The id stands first: the door reads it even from a message that it refuses unread.
    const text = JSON.stringify({ id, name, input });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      if (this.#connection === 'open') this.#socket?.send(text);
      else this.#early.push(text);
    });
  }

  handOver(file: File): Promise<Reply> {
    return this.#options.upload(file).catch((error: unknown) => {
      throw new NamesakeError('door.lost', error instanceof Error ? error.message : String(error));
    });
  }

  #tell(connection: Connection): void {
    if (this.#connection === connection) return;
    this.#connection = connection;
    this.#listener?.onConnection(connection);
  }

  #open(): void {
    const socket = this.#options.open();
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#attempt = 0;
      this.#life = 'heard';
      this.#beats = setInterval(() => this.#beat(socket), this.#options.beat_ms);
      this.#tell('open');
      for (const text of this.#early.splice(0)) socket.send(text);
    };
    socket.onmessage = ({ data }) => this.#take(String(data));
    socket.onclose = ({ code }) => this.#ended(code, opened);
  }

  #ended(code: number, wasOpen: boolean): void {
    clearInterval(this.#beats);
    if (this.#closed) return;
    this.#failAll('the connection broke');
    if (code === SIGNED_OUT) this.#tell('signed_out');
    else void this.#comeBack(wasOpen);
  }

  /**
   * Gives a connection up on which nothing comes any more, not even the answer to a question: browsers do not notice by
   * themselves. Told by beats, not by the clock: those of a tab in the background come late.
   */
  #beat(socket: Socket): void {
    if (this.#life === 'asked') {
      socket.onmessage = socket.onclose = null;
      socket.close();
      return this.#ended(ABNORMAL, true);
    }
    if (this.#life === 'quiet') socket.send(JSON.stringify({ id: this.#nextId++, name: 'app.about', input: {} }));
    this.#life = this.#life === 'quiet' ? 'asked' : 'quiet';
  }

  /** Plans the next attempt, unless the door says that this browser may not come in any more. */
  async #comeBack(wasOpen: boolean): Promise<void> {
    this.#tell('lost');
    if (!wasOpen && !(await this.#options.admitted().catch(() => true))) return this.#tell('signed_out');
    if (this.#closed) return;
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), this.#options.delay(this.#attempt));
  }

  #failAll(why: string): void {
    this.#early = [];
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new NamesakeError('door.lost', why));
  }

  #take(text: string): void {
    this.#life = 'heard';
    const message = JSON.parse(text) as Message;
    if ('events' in message) return this.#listener?.onEvents(message.events);
    const { id, ...reply } = message;
    if (id === null) return;
    this.#waiting.get(id)?.resolve(reply);
    this.#waiting.delete(id);
  }
}

/** A transport over sockets that `options` opens. */
export function socketTransport(options: SocketOptions): Transport {
  return new SocketTransport(options);
}

/** The door that the page at `page` came from: all its addresses lie beside the page. */
export function ownDoor(page: string): SocketOptions {
  const socket = new URL('api', page);
  socket.protocol = socket.protocol.replace('http', 'ws');
  return {
    open: () => new WebSocket(socket) as Socket,
    admitted: async () => (await fetch(page, { method: 'HEAD', cache: 'no-store' })).status !== 401,
    upload: async (file) => {
      const answer = await fetch(new URL(`files?name=${encodeURIComponent(file.name)}`, page), {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: file,
      });
      return (await answer.json()) as Reply;
    },
  };
}
