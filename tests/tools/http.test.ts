// Proxies, and what is never asked.
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { open, proxyFor, readBytes } from '../../tools/http.mjs';
import { fixture } from '../support/files.ts';

const certificate = readFileSync(fixture('tls', 'hub.test.pem'), 'utf8');
const trusted = tls.getCACertificates();

beforeAll(() => tls.setDefaultCACertificates([certificate]));
afterAll(() => tls.setDefaultCACertificates(trusted));

function listen(server: net.Server): Promise<number> {
  onTestFinished(() => {
    server.close();
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

/** A proxy that leads every tunnel to `port`, whatever host was named. */
async function proxy(port: number, status = 200) {
  const asked: { to: string; authorization: string | undefined }[] = [];
  const server = http.createServer();
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    asked.push({ to: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} no\r\n\r\n`);
      return;
    }
    const far = net.connect(port, '127.0.0.1');
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    for (const end of [socket, far]) end.on('error', () => undefined);
    socket.pipe(far).pipe(socket);
  });
  return { asked, address: `127.0.0.1:${await listen(server)}` };
}

async function hub(): Promise<number> {
  const server = https.createServer(
    { key: readFileSync(fixture('tls', 'hub.test.key.pem')), cert: certificate },
    (request, response) => response.end(`${request.headers.host} ${request.url} ${request.headers.authorization ?? 'nobody'}`),
  );
  return listen(server);
}

describe('open', () => {
  it('reaches https through a proxy, which sees neither the request nor its credentials', async () => {
    const { asked, address } = await proxy(await hub());
    const credentials = { origin: 'https://hub.test', headers: { authorization: 'Bearer secret' } };
    const reply = await open('https://hub.test/file', { credentials, env: { HTTPS_PROXY: `http://me:p%40ss@${address}` } });
    expect((await readBytes(reply, 1000)).toString()).toBe('hub.test /file Bearer secret');
    expect(asked).toEqual([{ to: 'hub.test:443', authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` }]);
  });

  it('checks the certificate of the far end, not of the proxy', async () => {
    const { address } = await proxy(await hub());
    await expect(open('https://other.test/file', { env: { https_proxy: address } })).rejects.toThrow(/altnames/);
  });

  it('says what the proxy answered', async () => {
    const { address } = await proxy(1, 407);
    await expect(open('https://hub.test/', { env: { ALL_PROXY: address } })).rejects.toThrow(/the proxy answered 407/);
    await expect(open('https://hub.test/', { env: { HTTPS_PROXY: 'socks5://127.0.0.1:1' } })).rejects.toThrow(/HTTPS_PROXY/);
  });

  it('gives up on a proxy that does not answer, and at once when asked to', async () => {
    const address = `127.0.0.1:${await listen(net.createServer())}`;
    await expect(open('https://hub.test/', { headMs: 100, env: { HTTPS_PROXY: address } })).rejects.toThrow(/the proxy does not answer/);
    const signal = AbortSignal.timeout(50);
    await expect(open('https://hub.test/', { signal, env: { HTTPS_PROXY: address } })).rejects.toThrow(/timeout/);
  });

  it('is not led onto this machine from elsewhere', async () => {
    const server = https.createServer({ key: readFileSync(fixture('tls', 'hub.test.key.pem')), cert: certificate }, (_request, response) =>
      response.writeHead(302, { location: 'http://127.0.0.1:9/secret' }).end(),
    );
    const { address } = await proxy(await listen(server));
    await expect(open('https://hub.test/', { env: { HTTPS_PROXY: address } })).rejects.toThrow(/redirects to this very machine/);
  });

  it('reads no more of a reply than it is told', async () => {
    const port = await listen(http.createServer((_request, response) => response.end('x'.repeat(1001))));
    await expect(readBytes(await open(`http://127.0.0.1:${port}/`), 1000)).rejects.toThrow(/longer than 1000/);
  });
});

describe('proxyFor', () => {
  const to = (url: string, env: NodeJS.ProcessEnv): string | null => proxyFor(new URL(url), env)?.href ?? null;

  it.each([
    [{}, null],
    [{ HTTPS_PROXY: 'http://p:1' }, 'http://p:1/'],
    [{ https_proxy: 'http://q:1', HTTPS_PROXY: 'http://p:1' }, 'http://q:1/'],
    [{ HTTPS_PROXY: 'p:1' }, 'http://p:1/'],
    [{ HTTP_PROXY: 'http://p:1' }, null],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' }, null],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'x.y, hub.test' }, null],
    [{ HTTPS_PROXY: 'http://p:1', no_proxy: '.test' }, null],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'test' }, null],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'hub.test:443' }, null],
    [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'hub.test:8443,ub.test,nohub.test,.hub.test.evil' }, 'http://p:1/'],
  ])('reads %j as curl does', (env, expected) => {
    expect(to('https://hub.test/f', env)).toBe(expected);
  });

  it('asks this machine directly', () => {
    for (const host of ['127.0.0.1:1', 'localhost:1', '[::1]:1', '127.9.9.9']) expect(to(`https://${host}/`, { HTTPS_PROXY: 'http://p:1' })).toBeNull();
  });
});
