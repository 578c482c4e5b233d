// Addresses: by which names this door may be called. A page of another name that resolves to this machine (DNS rebinding)
// sends that name as Host and is refused.
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

/** Addresses that stand for every interface of the machine. */
const everywhere: readonly string[] = ['0.0.0.0', '::'];

/** Whether only programs on this machine can reach an address to listen on. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** A host as it stands in an address: IPv6 in brackets. */
function inBrackets(host: string): string {
  return isIP(host) === 6 ? `[${host.replace(/%.*$/, '')}]` : host.toLowerCase();
}

/** HOST:PORT as a browser sends it: without the port where it is the scheme's own. */
function authority(host: string, port: number, secure: boolean): string {
  return port === (secure ? 443 : 80) ? inBrackets(host) : `${inBrackets(host)}:${port}`;
}

export class Addresses {
  /** What people open: http://127.0.0.1:8470 */
  readonly origin: string;
  readonly #scheme: 'http' | 'https';
  readonly #hosts: ReadonlySet<string>;

  /** `host` as given by --host; `port` as it is listened on. */
  constructor(host: string, port: number, secure: boolean) {
    this.#scheme = secure ? 'https' : 'http';
    const own = everywhere.includes(host)
      ? [hostname(), ...Object.values(networkInterfaces()).flatMap((infos) => (infos ?? []).map(({ address }) => address))]
      : [host];
    this.#hosts = new Set(['127.0.0.1', 'localhost', '::1', ...own].map((name) => authority(name, port, secure)));
    this.origin = `${this.#scheme}://${authority(everywhere.includes(host) ? hostname() : host, port, secure)}`;
  }

  /** Whether a Host header names this door. */
  isOurs(host: string | undefined): boolean {
    return host !== undefined && this.#hosts.has(host.toLowerCase());
  }

  /** Whether an Origin header is the page that this very Host served. */
  isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
    return this.isOurs(host) && origin === `${this.#scheme}://${(host as string).toLowerCase()}`;
  }
}
