// Who is refused: every stranger with a code and one line in the log, and nothing of what it sent in it.
import { describe, expect, it } from 'vitest';
import { askRaw, Client, sessionOf, type Ask } from '../../support/door-client.ts';
import { openDoor, type TestDoor } from './open-door.ts';

/** Asserts that the log has exactly these refusals. */
function expectLog(door: TestDoor, ...codes: string[]): void {
  expect(door.log().map(({ msg, code }) => ({ msg, code }))).toEqual(codes.map((code) => ({ msg: 'refused', code })));
}

/** The code in an answer. */
function codeOf(body: string): string {
  return (JSON.parse(body) as { ok: false; error: { code: string } }).error.code;
}

describe('the token', () => {
  it('is exchanged once for a session that opens everything', async () => {
    const door = await openDoor();
    const { pathname, search } = new URL(door.door.newAddress());
    expect(search).toMatch(/^\?token=[\w-]{43}$/);
    const login = await door.ask({ path: pathname + search });
    expect(login.status).toBe(303);
    const { cookie, path } = sessionOf(login);
    expect(login.headers.location).toBe(path);
    expect(login.headers['set-cookie']).toEqual([`${cookie}; Path=${path}; HttpOnly; SameSite=Strict`]);
    expect(login.headers['cache-control']).toBe('no-store');
    for (const page of ['/', path]) {
      const answer = await door.ask({ path: page, headers: { cookie } });
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    }
    const client = new Client(door.door.port, { cookie }, `${path}api`);
    expect(await client.opened()).toBe(101);
    expect(await client.request('app.about', {})).toMatchObject({ door: 'serve' });
    expectLog(door);
  });

  const bad: [string, (door: TestDoor) => Promise<string>][] = [
    ['missing', () => Promise.resolve('')],
    ['wrong', () => Promise.resolve(`?token=${'A'.repeat(43)}`)],
    ['of another length', () => Promise.resolve('?token=x')],
    ['empty', () => Promise.resolve('?token=')],
    ['given twice', (door) => Promise.resolve(new URL(door.door.newAddress()).search.repeat(2).replace('?token', '&token').replace(/^&/, '?'))],
    [
      'reused',
      async (door) => {
        const { search } = new URL(door.door.newAddress());
        await door.ask({ path: `/login${search}` });
        return search;
      },
    ],
    [
      'of an earlier address',
      (door) => {
        const { search } = new URL(door.door.newAddress());
        door.door.newAddress();
        return Promise.resolve(search);
      },
    ],
  ];
  it.each(bad)('is refused when %s', async (_what, search) => {
    const door = await openDoor();
    door.door.newAddress();
    const answer = await door.ask({ path: `/login${await search(door)}` });
    expect(answer.status).toBe(401);
    expect(codeOf(answer.body)).toBe('door.unauthorized');
    expect(answer.headers['set-cookie']).toBeUndefined();
    expectLog(door, 'door.unauthorized');
  });

  it('is refused to a person in a plain page of their language', async () => {
    const door = await openDoor({ language: 'zh' });
    const page = (language: string): Promise<{ status: number; body: string; headers: object }> =>
      door.ask({ path: '/login?token=<script>', headers: { accept: 'text/html,*/*', 'accept-language': language } });
    const english = await page('en-GB,en;q=0.9,zh;q=0.1');
    expect(english).toMatchObject({ status: 401, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(english.body).toContain('This window is not signed in');
    expect(english.body).not.toContain('<script');
    expect((await page('zh-CN')).body).toContain('这个窗口尚未登录');
    expect((await page('fr')).body).toContain('lang="zh-CN"');
  });

  it('is no secret that the log keeps', async () => {
    const door = await openDoor();
    const { search } = new URL(door.door.newAddress());
    const cookie = await door.signIn();
    await door.ask({ path: `/login${search}`, headers: { cookie } });
    await door.ask({ path: '/nothing', headers: { cookie, 'x-more': 'secret-header' } });
    await door.ask({ path: '/', headers: { cookie: 'namesake=guess', host: 'evil.example' } });
    const text = JSON.stringify(door.log());
    expect(door.log()).toHaveLength(3);
    for (const secret of [search.slice(7), cookie.slice(9), 'guess', 'evil.example', 'secret-header', 'nothing']) expect(text).not.toContain(secret);
  });

  it('is asked for with every file, page, upload, download and web socket', async () => {
    const paths: Ask[] = [
      { path: '/' },
      { path: '/index.html' },
      { path: '/assets/index-abc123.js' },
      { path: '/files/00000000000000000000000000000000' },
      { path: '/nothing' },
      { path: '/api' },
    ];
    const door = await openDoor();
    for (const request of paths) {
      for (const cookie of ['', 'namesake=', `namesake=${'A'.repeat(43)}`]) {
        const answer = await door.ask({ ...request, headers: { cookie } });
        expect([request.path, answer.status, codeOf(answer.body)]).toEqual([request.path, 401, 'door.unauthorized']);
      }
    }
    const upload = await door.ask({ path: '/files?name=a', method: 'POST', headers: { origin: door.door.origin }, body: 'x' });
    expect([upload.status, codeOf(upload.body)]).toEqual([401, 'door.unauthorized']);
    expect(await new Client(door.door.port, {}).opened()).toBe(401);
  });
});

describe('a foreign place', () => {
  const hosts = ['evil.example', 'evil.example:PORT', '127.0.0.1', '127.0.0.1:1', 'localhost', '127.0.0.2:PORT', '[::2]:PORT', 'localhost.evil.example:PORT', '127.0.0.1:PORT@evil.example'];
  it.each(hosts)('is refused as Host %s, even with a session', async (host) => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const answer = await door.ask({ path: '/', headers: { cookie, host: host.replace('PORT', String(door.door.port)) } });
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'door.refused']);
    expectLog(door, 'door.refused');
  });

  it.each(['127.0.0.1:PORT', 'localhost:PORT', 'LOCALHOST:PORT', '[::1]:PORT'])('is not Host %s', async (host) => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const own = host.replace('PORT', String(door.door.port));
    expect(await door.ask({ path: '/', headers: { cookie, host: own } })).toMatchObject({ status: 200 });
    const client = new Client(door.door.port, { cookie, host: own, origin: `http://${own.toLowerCase()}` });
    expect(await client.opened()).toBe(101);
  });

  it('cannot say two Hosts or none', async () => {
    const door = await openDoor();
    const { port } = door.door;
    expect(await askRaw(port, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    expect(await askRaw(port, 'GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 (400|403)/);
    const two = await askRaw(port, `GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
    expect(two).toMatch(/^HTTP\/1\.1 (400|403)/);
    const absolute = await askRaw(port, `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    expect(absolute).toMatch(/^HTTP\/1\.1 403/);
  });

  const origins = ['http://evil.example', 'null', 'https://127.0.0.1:PORT', 'http://127.0.0.1', 'http://127.0.0.1:1', 'http://localhost:PORT', 'http://127.0.0.1:PORT.evil.example', 'http://127.0.0.1:PORT/'];
  it.each(origins)('is refused as Origin %s on a web socket, an upload and a page', async (origin) => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const { port } = door.door;
    const headers = { cookie, origin: origin.replace('PORT', String(port)) };
    expect(await new Client(port, headers).opened()).toBe(403);
    expectLog(door, 'door.refused');
    for (const request of [{ path: '/files?name=a', method: 'POST', body: 'x' }, { path: '/' }, { path: '/', method: 'DELETE' }, { path: '/', method: 'OPTIONS' }]) {
      const answer = await door.ask({ ...request, headers });
      expect([answer.status, codeOf(answer.body)]).toEqual([403, 'door.refused']);
    }
  });

  it('is refused where it says no Origin on what needs one', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const answer = await door.ask({ path: '/files?name=a', method: 'POST', body: 'x', headers: { cookie } });
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'door.refused']);
    expect(await new Client(door.door.port, { cookie, origin: '' }).opened()).toBe(403);
  });

  it.each(['cross-site', 'same-site'])('is refused when the browser says %s', async (site) => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const answer = await door.ask({ path: '/', headers: { cookie, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } });
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'door.refused']);
    expectLog(door, 'door.refused');
    const login = await door.ask({ path: new URL(door.door.newAddress()).pathname, headers: { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' } });
    expect(login.status).toBe(403);
  });

  // A redirect would still be asked for by that place, and be refused: the token would be gone for nothing.
  it.each(['cross-site', 'same-site'])('may hold the link that a person follows to sign in (%s)', async (site) => {
    const door = await openDoor();
    const { pathname, search } = new URL(door.door.newAddress());
    const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };
    const login = await door.ask({ path: pathname + search, headers });
    const { path } = sessionOf(login);
    expect(login.status).toBe(200);
    expect(login.body).toContain(`<meta http-equiv="refresh" content="0; url=${path}">`);
  });
});

describe('every answer', () => {
  it('tells the browser what to forbid', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const asked: Ask[] = [{ path: '/', headers: { cookie } }, { path: '/' }, { path: '/nothing', headers: { cookie } }, { path: '/%', headers: { cookie } }, { path: '/', headers: { host: 'x' } }];
    for (const request of asked) {
      const { headers } = await door.ask(request);
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'x-frame-options': 'DENY',
      });
      expect(headers['permissions-policy']).toContain('camera=()');
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('lets the browser keep what has its hash in its name, and nothing else', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const cached = async (path: string): Promise<string | undefined> => (await door.ask({ path, headers: { cookie } })).headers['cache-control'];
    expect(await cached('/assets/index-abc123.js')).toBe('private, max-age=31536000, immutable');
    expect(await cached('/')).toBe('no-cache');
    expect(await cached('/nothing')).toBe('no-store');
  });
});
