// Clients of the browser door that say whatever a test wants them to say, and nothing more.
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { WebSocket, type RawData } from 'ws';
import type { ApiEvent, Reply, RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { HandedFile } from '../../shared/window-api.ts';
import type { WindowConnection } from './window-run.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What a request says; `host` undefined = the door's own. */
export interface Ask {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** One HTTP request to its end, exactly as told: paths are not tidied up, no header is added but Host. */
export function ask(port: number, { path, method = 'GET', headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, agent: false, headers: { host: `127.0.0.1:${port}`, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Bytes as they are, and what comes back until the other side closes. */
export function askRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', (error: Error & { code?: string }) => (error.code === 'ECONNRESET' ? resolve(text) : reject(error)));
    socket.on('close', () => resolve(text));
  });
}

/** A window's web socket. */
export class Client implements WindowConnection {
  readonly socket: WebSocket;
  /** Everything that came, as it came. */
  readonly messages: Record<string, unknown>[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #listeners: ((events: ApiEvent[]) => void)[] = [];
  #next = 1;

  constructor(port: number, headers: Record<string, string>, path = '/api') {
    const origin = `http://127.0.0.1:${port}`;
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { origin, ...headers }, perMessageDeflate: false });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    this.socket.on('message', (data) => this.#take(data));
  }

  #take(data: RawData): void {
    const message = JSON.parse(String(data)) as Record<string, unknown>;
    this.messages.push(message);
    if (Array.isArray(message['events'])) for (const listener of this.#listeners) listener(message['events'] as ApiEvent[]);
    const id = message['id'];
    if (typeof id !== 'number') return;
    this.#waiting.get(id)?.(message as unknown as Reply);
    this.#waiting.delete(id);
  }

  onEvents(listener: (events: ApiEvent[]) => void): void {
    this.#listeners.push(listener);
  }

  /** The HTTP status of the handshake: 101 where it became a web socket. */
  opened(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.socket.on('open', () => resolve(101));
      this.socket.on('unexpected-response', (request, response) => {
        resolve(response.statusCode ?? 0);
        response.resume();
        request.destroy();
      });
      this.socket.on('error', reject);
    });
  }

  /** Asks with any name and input. Rejects where the socket closes before the answer. */
  ask(name: unknown, input: unknown): Promise<Reply> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      void this.closed.then(() => reject(new Error('closed')));
      this.socket.send(JSON.stringify({ id, name, input }));
    });
  }

  /** The result of a request. Rejects with its code. */
  async request<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>> {
    const reply = await this.ask(name, input);
    if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.detail}`);
    return reply.result as RequestResult<Name>;
  }
}

/** Cookie and private path out of the answer to a login. */
export function sessionOf(answer: Answer): { cookie: string; path: string } {
  const set = answer.headers['set-cookie']?.[0] ?? '';
  const [, cookie, path] = /^(namesake=[\w-]{43}); Path=(\/w\/[\w-]{22}\/);/.exec(set) ?? [];
  if (cookie === undefined || path === undefined) throw new Error(`no session in ${answer.status} ${set}`);
  return { cookie, path };
}

/** Uploads a model file as a window does, and puts it into the list; its id there. */
export async function handOverModel(window: WindowConnection, file: string, { port, cookie, origin }: { port: number; cookie: string; origin: string }): Promise<string> {
  const path = `/files?name=${encodeURIComponent(basename(file))}`;
  const { status, body } = await ask(port, { path, method: 'POST', headers: { cookie, origin }, body: readFileSync(file) });
  if (status !== 200) throw new Error(body);
  const { result } = JSON.parse(body) as { result: HandedFile };
  return (await window.request('models.add', { file: result.file })).id;
}
