// Hugging Face's and ModelScope's interfaces on this machine: lists of files, addresses that lead to another host, gated
// repositories. It keeps what it was asked, so that tests see who was shown a token.
import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface HubRepository {
  files: Record<string, Buffer>;
  licence?: string | null;
  /** What the hub says of its GGUF files. */
  architecture?: string;
  /** Who does not bring this token is refused. */
  token?: string;
  /** Its files are refused to everybody; the list of them is not. */
  gated?: boolean;
  /** Where given: the commit that it names. */
  commit?: string;
  /** Where given: how many bytes of a file are sent before the line is cut; null = all. */
  cut?: () => number | null;
  /** What the hub states, where that is not the truth. */
  stated?: Partial<Record<string, { size?: number; sha256?: string | null }>>;
}

export interface HubRequest {
  host: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  cookie: string | undefined;
}

export interface HubServer {
  /** Base address of both interfaces. Files come from "localhost", which is another host than this. */
  base: string;
  requests: HubRequest[];
  /** Requests for files that reached the other host. */
  fetched: () => HubRequest[];
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** git's own checksum of a file, which is all that a hub states of small ones. */
function gitBlob(data: Buffer): string {
  return createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
}

function isAllowed(request: IncomingMessage, { token }: HubRepository): boolean {
  if (token === undefined) return true;
  const { authorization, cookie = '' } = request.headers;
  return authorization === `Bearer ${token}` || cookie.includes(`m_session_id=${token}`);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function sendFile(request: IncomingMessage, response: ServerResponse, data: Buffer, cut: number | null): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.setHeader('etag', `"${sha256(data)}"`);
  response.setHeader('content-length', data.length - from);
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${data.length - 1}/${data.length}`);
  response.writeHead(from > 0 ? 206 : 200);
  if (cut === null) response.end(data.subarray(from));
  else response.write(data.subarray(from, Math.max(from, cut)), () => response.destroy());
}

/** Files of a repository with what the hub states of them. */
function statedFiles({ files, stated = {} }: HubRepository): { path: string; size: number; sha256: string | null }[] {
  return Object.entries(files).map(([path, data]) => ({ path, size: data.length, sha256: sha256(data), ...stated[path] }));
}

/**
 * Starts a hub with repositories by OWNER/NAME. `o/garbage` answers like a hotel's network, `o/other-json` with something else,
 * `o/endless` without an end. Ends with the test.
 */
export async function hubServer(repositories: Record<string, HubRepository>): Promise<HubServer> {
  const requests: HubRequest[] = [];
  const fetched: HubRequest[] = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    const { host = '', range, authorization, cookie } = request.headers;
    const asked = { host, path: `${url.pathname}${url.search}`, range, authorization, cookie };
    requests.push(asked);
    const path = decodeURIComponent(url.pathname);
    const port = host.split(':')[1] ?? '';

    const cdn = /^\/cdn\/([^/]+\/[^/]+)\/(.+)$/.exec(path);
    if (cdn !== null) {
      fetched.push(asked);
      const repository = repositories[cdn[1] ?? ''];
      return sendFile(request, response, repository?.files[cdn[2] ?? ''] ?? Buffer.alloc(0), repository?.cut?.() ?? null);
    }
    const [, api, resolved] = /^\/api\/(?:v1\/)?models\/([^/]+\/[^/]+)|^\/(?:models\/)?([^/]+\/[^/]+)\/resolve\//.exec(path) ?? [];
    const name = api ?? resolved ?? '';
    const repository = repositories[name];
    if (name === 'o/garbage') {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in to this network</html>');
      return;
    }
    if (name === 'o/other-json') return json(response, 200, { siblings: 'none' });
    if (name === 'o/endless') {
      response.writeHead(200);
      const more = (): void => void response.write(Buffer.alloc(1 << 20, ' '), () => !response.destroyed && setImmediate(more));
      return more();
    }
    if (repository === undefined) return json(response, 404, { error: 'Repository not found' });
    if (!isAllowed(request, repository)) return json(response, 401, { error: 'Access to this repository is restricted' });

    const [, file] = /\/resolve\/[^/]+\/(.+)$/.exec(path) ?? [];
    if (file !== undefined) {
      if (repository.gated === true) return json(response, 403, { error: 'Access to this repository is restricted' });
      if (repository.files[file] === undefined) return json(response, 404, { error: 'Entry not found' });
      response.writeHead(302, { location: `http://localhost:${port}/cdn/${name}/${file}` }).end();
      return;
    }
    const { licence = 'apache-2.0' } = repository;
    const listed = statedFiles(repository);
    if (path.startsWith('/api/v1/')) {
      if (!path.endsWith('/repo/files')) return json(response, 200, { Code: 200, Success: true, Data: { License: licence } });
      const Files = listed.map((one) => ({ Path: one.path, Type: 'blob', Size: one.size, Sha256: one.sha256 ?? '' }));
      return json(response, 200, { Code: 200, Success: true, Data: { Files: [{ Path: 'folder', Type: 'tree', Size: 0 }, ...Files] } });
    }
    return json(response, 200, {
      sha: repository.commit ?? COMMIT,
      gated: false,
      ...(repository.architecture !== undefined && { gguf: { architecture: repository.architecture } }),
      ...(licence === null ? {} : { cardData: { license: licence } }),
      siblings: [
        { rfilename: 'README.md', size: 10 },
        ...listed.map((one) => ({ rfilename: one.path, size: one.size, blobId: gitBlob(repository.files[one.path] ?? Buffer.alloc(0)), ...(one.sha256 !== null && { lfs: { sha256: one.sha256, size: one.size, pointerSize: 130 } }) })),
      ],
    });
  });
  // "localhost" may mean ::1 first; both reach this server.
  await new Promise<void>((resolve) => server.listen(0, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, fetched: () => fetched };
}
