// Protocol: the page's files under app://namesake, with a policy on every answer. file:// is never used.
import { protocol } from 'electron';
import { readFile } from 'node:fs/promises';
import { extname, isAbsolute, join, relative } from 'node:path';

const SCHEME = 'app';
const HOST = 'namesake';
/** The one origin that may show itself in a window and ask main for anything. */
export const APP_ORIGIN = `${SCHEME}://${HOST}`;
export const APP_PAGE = `${APP_ORIGIN}/index.html`;

/** Nothing but the app's own files; no inline script or style, no frames, no forms, no other host. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** Makes app:// a scheme with an origin of its own, as safe as https. Must come before the app is ready, and once. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } }]);
}

/** Whether an address belongs to the app's own page. Compares what was parsed, never the text. */
export function isAppUrl(address: string): boolean {
  try {
    const url = new URL(address);
    return url.protocol === `${SCHEME}:` && url.host === HOST && url.username === '' && url.password === '';
  } catch {
    return false;
  }
}

/** The file below `folder` that an address means; null for everything that is no plain path inside it. */
export function fileOf(address: string, folder: string): string | null {
  if (!isAppUrl(address)) return null;
  let path: string;
  try {
    path = decodeURIComponent(new URL(address).pathname);
  } catch {
    return null;
  }
  // No separators, drives or streams of Windows, no ends of C strings, no climbing: whatever the platform.
  if (/[\\:\0]/.test(path) || path.split('/').includes('..')) return null;
  const file = join(folder, path === '/' ? 'index.html' : path);
  const inside = relative(folder, file);
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? null : file;
}

/** Answers a request for one of the page's files: the file, or 404 and nothing else, the policy on both. */
export async function answer(request: { url: string; method: string }, folder: string): Promise<Response> {
  const file = request.method === 'GET' ? fileOf(request.url, folder) : null;
  const type = file === null ? undefined : TYPES[extname(file)];
  const headers = {
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  };
  if (file !== null && type !== undefined) {
    try {
      return new Response(await readFile(file), { headers: { ...headers, 'content-type': type } });
    } catch {
      // Not there, or a folder.
    }
  }
  return new Response(null, { status: 404, headers });
}

/** Serves the built page in `folder` to the default session. */
export function serveRenderer(folder: string): void {
  protocol.handle(SCHEME, (request) => answer(request, folder));
}
