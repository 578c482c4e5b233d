// Server: the HTTP server under the browser door: patience with slow clients, and who may ask what. Everything is refused
// that does not come from this door's own page, in a browser that signed in.
import fastifyCookie from '@fastify/cookie';
import fastifyWebsocket from '@fastify/websocket';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, STATUS_CODES, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import { Addresses } from './addresses.ts';
import type { Auth, Session } from './auth.ts';
import { notStored, securityHeaders } from './headers.ts';
import { forwardPage, languageOf, refusalPage } from './page.ts';
import { statusOf, type Refusals } from './refusals.ts';
import { TokenBuckets, type Rate } from '../token-bucket.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null on the way to the session alone. */
    session: Session | null;
  }
}

/** PEM texts. */
export interface Tls {
  cert: string;
  key: string;
}

/** Milliseconds and numbers by which slow and greedy clients are cut. */
export interface ConnectionLimits {
  /** For all headers of a request, and for the TLS handshake. */
  headers_ms: number;
  /** Without a byte in either direction, in the middle of a request or an answer. */
  idle_ms: number;
  /** Between two requests on one connection. */
  keep_alive_ms: number;
  connections: number;
  requests_per_connection: number;
  header_bytes: number;
}

export const connectionLimits: ConnectionLimits = {
  headers_ms: 10_000,
  idle_ms: 30_000,
  keep_alive_ms: 10_000,
  connections: 512,
  requests_per_connection: 10_000,
  header_bytes: 8192,
};

const COOKIE = 'namesake';
/** Bytes of one message of a window. */
const MESSAGE_BYTES = 1_000_000;
/** How long a refused upload may go on arriving unread, so that its answer is not lost with the connection. */
const LINGER_MS = 5000;
/**
 * The page lives under a path that nobody else knows, and the cookie is sent there alone: browsers keep cookies by host, not by
 * port, so that any other program on this machine would be sent it too.
 */
const PRIVATE_PATH = /^\/w\/[\w-]{22}(?=\/)/;

function newPrivatePath(): string {
  return `/w/${randomBytes(16).toString('base64url')}/`;
}

/** A server with limits on how slowly and how much anyone may send. Bodies are read by uploads alone, which may take long. */
function createServer(tls: Tls | null, limits: ConnectionLimits, listener: RequestListener): Server {
  const options = {
    headersTimeout: limits.headers_ms,
    requestTimeout: 0,
    keepAliveTimeout: limits.keep_alive_ms,
    connectionsCheckingInterval: Math.min(1000, limits.headers_ms / 2),
    maxHeaderSize: limits.header_bytes,
  };
  const server =
    tls === null ? createHttpServer(options, listener) : createHttpsServer({ ...options, ...tls, handshakeTimeout: limits.headers_ms }, listener);
  server.timeout = limits.idle_ms;
  server.maxConnections = limits.connections;
  server.maxRequestsPerSocket = limits.requests_per_connection;
  return server;
}

/** Whether a person looks at the answer. */
function wantsPage(request: FastifyRequest): boolean {
  return request.method === 'GET' && !request.ws && (request.headers.accept ?? '').includes('text/html');
}

/** Whether no page of another site, or of another program on this machine, made the browser ask. */
function isOwnSite({ headers: { 'sec-fetch-site': site } }: FastifyRequest): boolean {
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** A link that a person followed from elsewhere, as from a terminal in another page. */
function isLinkFromElsewhere(request: FastifyRequest): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = request.headers;
  return mode === 'navigate' && dest === 'document';
}

function refused(reason: string): NamesakeError {
  return new NamesakeError('door.refused', reason);
}

export interface ServerOptions {
  auth: Auth;
  refusals: Refusals;
  tls: Tls | null;
  limits: ConnectionLimits;
  /** How often those without a session may be refused before they are told to wait, by their address. */
  strangers: Rate;
  /** For those whose browser names no language that is spoken here. */
  language: Language;
  now: () => number;
  /** Hears of faults of this program. */
  onFault: (error: unknown) => void;
}

/** Answers with a code; the log has one line. */
export type Refuse = (request: FastifyRequest, reply: FastifyReply, error: NamesakeError) => FastifyReply;

export class DoorServer {
  readonly #app: FastifyInstance;
  readonly #o: ServerOptions;
  readonly #strangers: TokenBuckets;
  /** All that are open, also those that are not through the TLS handshake yet, which no HTTP server knows of. */
  readonly #connections = new Set<Socket>();
  #addresses: Addresses | null = null;

  constructor(options: ServerOptions) {
    this.#o = options;
    this.#strangers = new TokenBuckets(options.strangers, options.now, 1024);
    this.#app = fastify({
      serverFactory: (listener) => createServer(options.tls, options.limits, listener),
      rewriteUrl: ({ url = '/' }) => url.replace(PRIVATE_PATH, ''),
      // Every body that is taken is a stream, and counted as it comes.
      bodyLimit: 1024,
      routerOptions: { maxParamLength: 64 },
      frameworkErrors: (_error, request, reply) => {
        reply.headers(securityHeaders);
        return this.refuse(request, reply, new NamesakeError('request.invalid', 'not an address'));
      },
      clientErrorHandler: (error, socket) => this.#onClientError(error, socket),
      return503OnClosing: false,
    });
    this.#app.server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
    });
    this.#app.decorateRequest('session', null);
    this.#app.setErrorHandler((error: FastifyError | NamesakeError, request, reply) => this.#onError(error, request, reply));
    this.#app.setNotFoundHandler((request, reply) => this.refuse(request, reply, new NamesakeError('request.unknown', 'no such page')));
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser('*', (_request, body, done) => done(null, body));
  }

  /** Adds what every request goes through, then the routes, and listens. Throws door.taken. */
  async listen(host: string, port: number, routes: (app: FastifyInstance) => Promise<void>): Promise<{ origin: string; port: number }> {
    const app = this.#app;
    await app.register(fastifyCookie);
    // Before the hook below, which asks whether a request wants to become a web socket.
    await app.register(fastifyWebsocket, { options: { maxPayload: MESSAGE_BYTES, perMessageDeflate: false } });
    app.addHook('onRequest', (request, reply, done) => {
      reply.headers(securityHeaders);
      const error = this.#admit(request);
      if (error === null) done();
      else this.refuse(request, reply, error);
    });
    app.get('/login', (request, reply) => this.#login(request, reply));
    await routes(app);
    try {
      await app.listen({ host, port });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (/^(EADDRINUSE|EACCES|EADDRNOTAVAIL|ENOTFOUND)$/.test(code)) throw new NamesakeError('door.taken', code, { host, port: String(port) });
      throw error;
    }
    const at = app.server.address();
    if (at === null || typeof at === 'string') throw new Error('a server that listens has a port');
    this.#addresses = new Addresses(host, at.port, this.#o.tls !== null);
    return { origin: this.#addresses.origin, port: at.port };
  }

  /** Stops to listen and ends every connection. */
  async close(): Promise<void> {
    const closed = this.#app.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  /** Refuses with a code, as a page where a person looks at it. Strangers that are refused too often are told to wait instead. */
  readonly refuse: Refuse = (request, reply, error) => {
    const { session } = request;
    const who = session?.name ?? request.socket.remoteAddress ?? 'unknown';
    const said = session === null && !this.#strangers.take(who) ? new NamesakeError('request.too_many', 'a stranger asks too often') : error;
    this.#o.refusals.note(said, who);
    this.#linger(request);
    reply.code(statusOf(said.code)).headers(notStored);
    if (wantsPage(request)) return reply.type('text/html; charset=utf-8').send(refusalPage(this.#languageOf(request), said));
    return reply.send({ ok: false, error: { code: said.code, detail: said.detail, params: said.params } });
  };

  #languageOf(request: FastifyRequest): Language {
    return languageOf(request.headers['accept-language'], this.#o.language);
  }

  /** Lets a body that nobody reads run out for a while, then cuts the connection. */
  #linger({ raw }: FastifyRequest): void {
    // Others are complete in a moment, and many: a timer for each would hold them all.
    const hasBody = raw.headers['transfer-encoding'] !== undefined || (announcedLength(raw) ?? 0) > 0;
    if (!hasBody) return;
    setTimeout(() => {
      if (!raw.complete) raw.socket.destroy();
    }, LINGER_MS).unref();
  }

  /** Why a request may not go on; null where it may. */
  #admit(request: FastifyRequest): NamesakeError | null {
    const { headers, method } = request;
    request.session = this.#o.auth.find(request.cookies[COOKIE]);
    const addresses = this.#addresses;
    if (addresses?.isOurs(headers.host) !== true) return refused('the Host header is of another place');
    const isLogin = request.routeOptions.url === '/login';
    if (!isOwnSite(request) && !(isLogin && isLinkFromElsewhere(request))) return refused('another site asks');
    const needsOrigin = request.ws || !['GET', 'HEAD'].includes(method);
    if ((needsOrigin || headers.origin !== undefined) && !addresses.isOwnOrigin(headers.origin, headers.host)) {
      return refused('the Origin header is of another place');
    }
    if (isLogin) return null;
    if (request.session === null) return new NamesakeError('door.unauthorized', 'no session');
    return request.session.bucket.take() ? null : new NamesakeError('request.too_many', 'requests come too fast');
  }

  /** Exchanges the token of the printed address for a session. */
  #login(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { token } = request.query as { token?: unknown };
    const secret = typeof token === 'string' ? this.#o.auth.exchange(token) : null;
    if (secret === null) return this.refuse(request, reply, new NamesakeError('door.unauthorized', 'the address was used already, or is not the latest'));
    const path = newPrivatePath();
    reply.headers(notStored).setCookie(COOKIE, secret, { path, httpOnly: true, sameSite: 'strict', secure: this.#o.tls !== null });
    if (isOwnSite(request)) return reply.redirect(path, 303);
    return reply.type('text/html; charset=utf-8').send(forwardPage(this.#languageOf(request), path));
  }

  #onError(error: FastifyError | NamesakeError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (error instanceof NamesakeError) return this.refuse(request, reply, error);
    const status = error.statusCode ?? 500;
    if (status === 413) return this.refuse(request, reply, new NamesakeError('request.too_large', 'the body is over the limit'));
    if (status === 404) return this.refuse(request, reply, new NamesakeError('request.unknown', 'no such page'));
    if (status < 500) return this.refuse(request, reply, new NamesakeError('request.invalid', 'not a request of this page'));
    this.#o.onFault(error);
    reply.code(500).headers(notStored);
    return reply.send({ ok: false, error: { code: 'internal', detail: 'see the log', params: {} } });
  }

  /** What is not HTTP at all, or too slow to become it. */
  #onClientError(error: Error & { code?: string }, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    const isSilent = error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    const reason = isLarge ? 'the headers are over the limit' : isSlow ? 'the headers came too slowly' : isSilent ? 'no TLS handshake' : 'not HTTP';
    this.#o.refusals.note(new NamesakeError(isLarge ? 'request.too_large' : 'request.invalid', reason), socket.remoteAddress ?? 'unknown');
    const status = isLarge ? 431 : isSlow ? 408 : 400;
    // What is to be sent would wait for the handshake, and the connection with it.
    if (socket.writable && !isSilent) socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    else socket.destroy();
  }
}

/** The length that a request announces for its body; null where it does not. */
export function announcedLength(request: IncomingMessage): number | null {
  const length = request.headers['content-length'];
  return length === undefined ? null : Number(length);
}
