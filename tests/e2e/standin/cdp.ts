// CDP: a connection to a browser's debugging port; sessions share it.

/** What a command answers, or an event carries. */
// The protocol's own types would be a package of their own; each use names the fields that it reads.
export type Fields = Record<string, never> & Record<string, unknown>;
export type CdpListener = (method: string, params: Fields, session: string | undefined) => void;

interface Incoming {
  id?: number;
  method?: string;
  params?: Fields;
  result?: Fields;
  error?: { message: string };
  sessionId?: string;
}

export class Cdp {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: Fields) => void; reject: (error: Error) => void; method: string }>();
  readonly #listeners = new Set<CdpListener>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Incoming));
    socket.addEventListener('close', () => {
      for (const { reject, method } of this.#waiting.values()) reject(new Error(`${method}: the browser is gone`));
      this.#waiting.clear();
    });
  }

  /** Connects to the address that a browser prints for --remote-debugging-port. */
  static connect(address: string): Promise<Cdp> {
    const socket = new WebSocket(address);
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(new Cdp(socket)));
      socket.addEventListener('error', () => reject(new Error(`no browser at ${address}`)));
    });
  }

  #hear({ id, method, params, result, error, sessionId }: Incoming): void {
    if (id !== undefined) {
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) call?.reject(new Error(`${call.method}: ${error.message}`));
      else call?.resolve(result ?? ({} as Fields));
    } else if (method !== undefined) {
      for (const listener of [...this.#listeners]) listener(method, params ?? ({} as Fields), sessionId);
    }
  }

  /** A command to the browser, or to one session. */
  send(method: string, params: object = {}, sessionId?: string): Promise<Fields> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, method });
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }

  listen(listener: CdpListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.close();
  }
}
