// @ts-check
// The one way to another host: https (plain http on this machine only), redirects that are followed with care, a proxy
// where the environment names one, and nothing that waits for ever.
import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';

const MAX_REDIRECTS = 8;
/** Without a byte for so long, a connection counts as dead. */
const IDLE_MS = 30_000;
/** From the request to the reply's head. */
const HEAD_MS = 20_000;

/** An address that is not asked, whatever another attempt would bring: its scheme, or where it leads to. */
export class AddressError extends Error {}

/**
 * Headers that show who asks: sent to their own origin alone, never on a redirect to another one, and never printed.
 * @typedef {{ origin: string, headers: Record<string, string> }} Credentials
 *
 * @typedef {{
 *   headers?: Record<string, string>,
 *   credentials?: Credentials | null,
 *   signal?: AbortSignal | undefined,
 *   idleMs?: number,
 *   headMs?: number,
 *   env?: NodeJS.ProcessEnv,
 * }} OpenOptions
 */

/** @param {string} text @param {URL} [base] @returns {URL | null} */
function parse(text, base) {
  return URL.canParse(text, base) ? new URL(text, base) : null;
}

/** @param {URL} address */
function isLoopback(address) {
  return address.hostname === 'localhost' || address.hostname === '[::1]' || /^127(\.\d+){3}$/.test(address.hostname);
}

/**
 * Whether NO_PROXY (host names and domains, with or without a port, `*` for all) takes `address` out.
 * @param {string} list
 * @param {URL} address
 */
function isExcepted(list, address) {
  const host = address.hostname.toLowerCase();
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', port] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (port !== undefined && port !== (address.port || '443')) return false;
      return host === name || host.endsWith(`.${name}`);
    });
}

/**
 * The proxy for an address as curl reads the environment: HTTPS_PROXY, else ALL_PROXY, unless NO_PROXY names the host. What
 * lies on this machine is asked directly; since nothing else is asked over plain http, HTTP_PROXY has no use here.
 * @param {URL} address
 * @param {NodeJS.ProcessEnv} env
 * @returns {URL | null}
 * @throws {AddressError} where the environment names a proxy that is no address of one
 */
export function proxyFor(address, env) {
  const read = (/** @type {string} */ name) => env[name.toLowerCase()] || env[name] || '';
  const named = read('HTTPS_PROXY') || read('ALL_PROXY');
  if (named === '' || isLoopback(address) || isExcepted(read('NO_PROXY'), address)) return null;
  const proxy = parse(named.includes('://') ? named : `http://${named}`);
  if (proxy === null || !/^https?:$/.test(proxy.protocol)) throw new AddressError('the proxy that HTTPS_PROXY names is not one of http:// or https://');
  return proxy;
}

/**
 * A connection to `address` through `proxy`, with TLS to the far end inside it.
 * @param {URL} proxy
 * @param {URL} address
 * @param {number} headMs
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<import('node:tls').TLSSocket>}
 */
function tunnel(proxy, address, headMs, signal) {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  const far = `${address.hostname}:${address.port || 443}`;
  /** @type {Record<string, string>} */
  const headers = { host: far };
  if (proxy.username !== '') {
    const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
    headers['proxy-authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return new Promise((resolve, reject) => {
    const { request: connect } = proxy.protocol === 'https:' ? https : http;
    const request = connect({
      ...{ method: 'CONNECT', host: proxy.hostname.replace(/^\[|\]$/g, ''), path: far, headers, agent: false },
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      ...(signal && { signal }),
    });
    request.setTimeout(headMs, () => request.destroy(new Error('the proxy does not answer')));
    request.on('error', reject);
    request.on('connect', (reply, socket) => {
      socket.setTimeout(0);
      if (reply.statusCode === 200) return resolve(tls.connect({ socket, servername: host, ALPNProtocols: ['http/1.1'] }));
      socket.destroy();
      reject(new Error(`the proxy answered ${reply.statusCode}`));
    });
    request.end();
  });
}

/**
 * One request, one reply.
 * @param {URL} address
 * @param {OpenOptions} options
 * @returns {Promise<import('node:http').IncomingMessage>}
 */
async function ask(address, { headers, credentials, signal, idleMs = IDLE_MS, headMs = HEAD_MS, env = process.env }) {
  const proxy = address.protocol === 'https:' ? proxyFor(address, env) : null;
  const socket = proxy === null ? null : await tunnel(proxy, address, headMs, signal);
  const own = credentials?.origin === address.origin ? credentials.headers : {};
  return new Promise((resolve, reject) => {
    const { get } = address.protocol === 'https:' ? https : http;
    /** @type {import('node:http').IncomingMessage | null} */
    let answer = null;
    const request = get(address, {
      headers: { 'user-agent': 'namesake', 'accept-encoding': 'identity', ...headers, ...own },
      ...(signal && { signal }),
      // One connection for each request: a server that ended the last reply badly has no say in the next.
      ...(socket === null ? { agent: false } : { createConnection: () => socket, defaultPort: 443 }),
    });
    const late = setTimeout(() => request.destroy(new Error('the server does not answer')), headMs);
    request.setTimeout(idleMs, () => (answer ?? request).destroy(new Error('the server stopped sending')));
    request.on('response', (reply) => {
      clearTimeout(late);
      answer = reply;
      resolve(reply);
    });
    request.on('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
  });
}

/**
 * Asks for `url` and follows redirects, at most eight. Plain http is for this machine only, and nobody elsewhere may lead
 * a request onto this machine.
 * @param {string} url
 * @param {OpenOptions} [options]
 * @returns {Promise<import('node:http').IncomingMessage>} the reply, whatever its status; the caller reads or destroys it
 * @throws {AddressError} for an address that is not asked; network errors come as they are, an abort as the signal's reason
 */
export async function open(url, options = {}) {
  let address = new URL(url);
  const fromHere = isLoopback(address);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (address.protocol !== 'https:' && !(address.protocol === 'http:' && isLoopback(address))) {
      throw new AddressError(`${address.protocol}//${address.host} is not asked: https only`);
    }
    if (isLoopback(address) && !fromHere) throw new AddressError('the server redirects to this very machine');
    const reply = await ask(address, options).catch((error) => {
      options.signal?.throwIfAborted();
      throw error;
    });
    if (![301, 302, 303, 307, 308].includes(reply.statusCode ?? 0)) return reply;
    reply.destroy();
    const next = reply.headers.location === undefined ? null : parse(reply.headers.location, address);
    if (next === null) throw new AddressError('the server redirects to nowhere');
    address = next;
  }
  throw new AddressError('too many redirects');
}

/**
 * The bytes of a reply.
 * @param {import('node:http').IncomingMessage} reply
 * @param {number} limit bytes that are read at most
 * @returns {Promise<Buffer>}
 * @throws {Error} where it is longer, or where the connection ends early
 */
export async function readBytes(reply, limit) {
  /** @type {Buffer[]} */
  const chunks = [];
  let length = 0;
  for await (const chunk of reply) {
    length += chunk.length;
    if (length > limit) {
      reply.destroy();
      throw new Error(`the reply is longer than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
