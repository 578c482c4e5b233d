// The browser door: the same page and API as in the desktop app, for a browser on this or (over an SSH tunnel or TLS) another
// machine. Static files of the build, one web socket, files in and files out; see server.ts for who may ask.
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileIdSchema } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import type { Api } from '../api/api.ts';
import type { Core } from '../core.ts';
import { traceOf } from '../log.ts';
import { Auth } from './auth.ts';
import { notStored } from './headers.ts';
import { Refusals } from './refusals.ts';
import { announcedLength, connectionLimits, DoorServer, type ConnectionLimits, type Tls } from './server.ts';
import { socketLimits, Sockets, type SocketLimits } from './sockets.ts';
import type { Rate } from '../token-bucket.ts';
import { uploadLimits, Uploads, type UploadLimits } from './uploads.ts';

const YEAR_S = 365 * 24 * 3600;

export interface DoorLimits {
  connections: ConnectionLimits;
  sockets: SocketLimits;
  uploads: UploadLimits;
  /** Requests and messages of one session. */
  session: Rate;
  /** Refusals of one address without a session. */
  strangers: Rate;
}

export const doorLimits: DoorLimits = {
  connections: connectionLimits,
  sockets: socketLimits,
  uploads: uploadLimits,
  session: { burst: 300, per_second: 50 },
  strangers: { burst: 40, per_second: 5 },
};

export interface BrowserDoorOptions {
  api: Pick<Api, 'request' | 'subscribe'>;
  core: Pick<Core, 'files' | 'log'>;
  /** Folder of the built page. */
  page: string;
  host: string;
  /** 0 = any free one. */
  port: number;
  tls: Tls | null;
  language: Language;
  limits?: Partial<DoorLimits>;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
}

export interface BrowserDoor {
  /** Where it is: http://127.0.0.1:8470 */
  readonly origin: string;
  readonly port: number;
  /** How many windows are open. */
  readonly windows: number;
  /** A fresh address that signs one browser in; the one before it no longer does. */
  newAddress(): string;
  /** Says goodbye to the windows and stops to listen. */
  close(): Promise<void>;
}

/** Opens the door. Throws door.taken where the address is another program's. */
export async function openBrowserDoor(options: BrowserDoorOptions): Promise<BrowserDoor> {
  const now = options.now ?? ((): number => performance.now());
  const limits = { ...doorLimits, ...options.limits };
  const auth = new Auth(limits.session, now);
  const refusals = new Refusals((line) => options.core.log.warn({ ...line, door: 'serve' }, 'refused'), now);
  const sockets = new Sockets(options.api, refusals, limits.sockets, now);
  const uploads = new Uploads(options.core, limits.uploads);
  const server = new DoorServer({
    auth,
    refusals,
    tls: options.tls,
    limits: limits.connections,
    strangers: limits.strangers,
    language: options.language,
    now,
    onFault: (error) => options.core.log.error({ code: 'internal', door: 'serve', ...traceOf(error) }, 'failed unexpectedly'),
  });
  const { origin, port } = await server.listen(options.host, options.port, async (app) => {
    await addPage(app, options.page);
    addWindows(app, server, sockets);
    addFiles(app, options.core, uploads);
  });
  const timer = setInterval(() => {
    sockets.beat();
    auth.sweep();
    refusals.flush();
  }, limits.sockets.beat_ms);
  timer.unref();
  return {
    origin,
    port,
    get windows() {
      return sockets.count;
    },
    newAddress: () => `${origin}/login?token=${auth.newToken()}`,
    close: async () => {
      clearInterval(timer);
      await sockets.close();
      await server.close();
      refusals.flush(true);
    },
  };
}

/** The built page: one route for each of its files, made at the start. Nothing else of the disk can be named. */
async function addPage(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) throw new NamesakeError('internal', 'the page is not built; npm run build does it');
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    serveDotFiles: false,
    decorateReply: false,
    cacheControl: false,
    // Files under assets/ have their content's hash in their names.
    setHeaders: (reply, path) =>
      reply.header('cache-control', path.includes(`${sep}assets${sep}`) ? `private, max-age=${YEAR_S}, immutable` : 'no-cache'),
  });
}

function addWindows(app: FastifyInstance, server: DoorServer, sockets: Sockets): void {
  app.route({
    method: 'GET',
    url: '/api',
    preValidation: (request, reply, done) => {
      if (!request.ws) server.refuse(request, reply, new NamesakeError('request.unknown', 'not a web socket'));
      else if (sockets.full) server.refuse(request, reply, new NamesakeError('request.too_many', 'too many windows are open'));
      else done();
    },
    // What is no web socket was refused before.
    handler: (_request, reply) => reply,
    wsHandler: (socket, { session }) => {
      if (session === null) socket.terminate();
      else sockets.add(socket, session);
    },
  });
}

/** A file name as a header carries it (RFC 8187). */
function attachment(name: string): string {
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}

function addFiles(app: FastifyInstance, core: Pick<Core, 'files'>, uploads: Uploads): void {
  app.post('/files', async (request) => {
    const { session, raw } = request;
    const { name } = request.query as { name?: unknown };
    if (session === null) throw new NamesakeError('door.unauthorized', 'no session');
    if (typeof name !== 'string') throw new NamesakeError('request.invalid', 'a file needs a name');
    return { ok: true, result: await uploads.take(session, { name, length: announcedLength(raw), body: raw }) };
  });
  app.get('/files/:id', async (request, reply) => {
    const id = fileIdSchema.safeParse((request.params as { id: string }).id);
    if (!id.success) throw new NamesakeError('file.unknown', 'not the id of a file');
    const { path, name } = core.files.opened(id.data);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() !== true) throw new NamesakeError('file.unknown', 'the file is gone');
    const headers = { ...notStored, 'content-type': 'application/octet-stream', 'content-length': found.size, 'content-disposition': attachment(name) };
    return reply.headers(headers).send(createReadStream(path));
  });
}
