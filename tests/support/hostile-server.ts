// A file server that misbehaves on demand, and counts what it gave away.
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** How one request is answered. Bytes count from where the asked range begins. */
export type Answer =
  | { kind: 'serve'; file?: Buffer; etag?: string | null; type?: 'length' | 'chunked' }
  /** Sends `after` bytes, then the line is cut. */
  | { kind: 'die'; after: number; etag?: string | null }
  /** Sends `after` bytes, then nothing more. */
  | { kind: 'stall'; after: number }
  /** A byte now and then. */
  | { kind: 'drip' }
  /** Ends in good order after `after` bytes, without having said how many come. */
  | { kind: 'truncate'; after: number }
  /** Says that the file has `size` bytes. */
  | { kind: 'claim'; size: number }
  /** Always the whole file, as if no range had been asked for; cut after `after` bytes where given. */
  | { kind: 'ignore-range'; after?: number; file?: Buffer; etag?: string }
  /** Another range than was asked for. */
  | { kind: 'wrong-range'; shift: number }
  /** Bytes of a range without a care for If-Range, and a tag of its own. */
  | { kind: 'ignore-if-range'; file: Buffer; etag: string }
  | { kind: 'gzip' }
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  | { kind: 'silent' };

export interface Asked {
  /** From 1. */
  count: number;
  path: string;
  range: string | undefined;
  ifRange: string | undefined;
  authorization: string | undefined;
  cookie: string | undefined;
}

export interface HostileServer {
  origin: string;
  url: (path?: string) => string;
  requests: Asked[];
  /** Bytes of files that were handed to connections. */
  served: () => number;
}

/** Starts a server that answers as `answer` says; 'serve' is a good server with ranges and tags. Ends with the test. */
export async function hostileServer(data: Buffer, answer: (asked: Asked) => Answer = () => ({ kind: 'serve' })): Promise<HostileServer> {
  const requests: Asked[] = [];
  let served = 0;
  const server = http.createServer((request, response) => {
    const asked: Asked = {
      count: requests.length + 1,
      path: request.url ?? '',
      range: request.headers.range,
      ifRange: request.headers['if-range'] as string | undefined,
      authorization: request.headers.authorization,
      cookie: request.headers.cookie,
    };
    requests.push(asked);
    respond(request, response, answer(asked), data, (bytes) => (served += bytes));
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, url: (path = '/file.gguf') => `${origin}${path}`, requests, served: () => served };
}

function respond(request: IncomingMessage, response: ServerResponse, answer: Answer, data: Buffer, count: (bytes: number) => void): void {
  if (answer.kind === 'silent') return;
  if (answer.kind === 'status') {
    response.writeHead(answer.status, answer.headers).end();
    return;
  }
  const file = 'file' in answer && answer.file !== undefined ? answer.file : data;
  const etag = 'etag' in answer && answer.etag !== undefined ? answer.etag : '"good"';
  const asked = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const ifRange = request.headers['if-range'];
  const same = ifRange === undefined || ifRange === etag || answer.kind === 'ignore-if-range';
  const from = answer.kind === 'ignore-range' || !same ? 0 : asked + (answer.kind === 'wrong-range' ? answer.shift : 0);
  const body = file.subarray(from);
  const stated = answer.kind === 'claim' ? answer.size : file.length;
  const partial = from > 0 || (asked > 0 && answer.kind === 'wrong-range');
  const chunked = answer.kind === 'truncate' || ('type' in answer && answer.type === 'chunked');
  const headers: Record<string, string> = {
    ...(etag === null ? {} : { etag }),
    ...(answer.kind === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
    ...(partial ? { 'content-range': `bytes ${from}-${stated - 1}/${stated}` } : {}),
    ...(chunked ? {} : { 'content-length': String(Math.max(0, stated - from)) }),
  };
  response.writeHead(partial ? 206 : 200, headers);
  response.on('error', () => undefined);
  const send = (bytes: Buffer, then: () => void): void => {
    count(bytes.length);
    if (bytes.length === 0) response.flushHeaders();
    response.write(bytes, () => then());
  };
  switch (answer.kind) {
    case 'drip': {
      let at = 0;
      const timer = setInterval(() => send(body.subarray(at, ++at), () => undefined), 20);
      response.on('close', () => clearInterval(timer));
      return;
    }
    case 'stall':
      return send(body.subarray(0, answer.after), () => undefined);
    case 'truncate':
      return send(body.subarray(0, answer.after), () => response.end());
    case 'die':
      return send(body.subarray(0, answer.after), () => response.destroy());
    case 'ignore-range':
      if (answer.after !== undefined) return send(body.subarray(0, answer.after), () => response.destroy());
      break;
    case 'claim':
      // The lie ends where the file does, or where the claimed length does.
      return send(body.subarray(0, Math.max(0, answer.size - from)), () => response.destroy());
    default:
  }
  send(body, () => response.end());
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
