// The web socket: what windows may send, how much and how fast, and what becomes of those that do not listen.
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Reply } from '../../../shared/api.ts';
import type { Api } from '../../../main/api/api.ts';
import { doorLimits } from '../../../main/serve/door.ts';
import { socketLimits } from '../../../main/serve/sockets.ts';
import { canCertify, certify } from '../../support/certificate.ts';
import { ask, Client } from '../../support/door-client.ts';
import { temporaryFolder } from '../../support/files.ts';
import { openDoor, type TestDoor } from './open-door.ts';

/** Codes and names of the log's lines. */
function logged(door: TestDoor): (string | undefined)[] {
  return door.log().map(({ code }) => code);
}

/** The next message that comes to a client. */
function nextMessage(client: Client): Promise<Record<string, unknown>> {
  return new Promise((resolve) => client.socket.once('message', (data) => resolve(JSON.parse(String(data)) as Record<string, unknown>)));
}

/** An API that answers when it is told to. */
class SlowApi implements Pick<Api, 'request' | 'subscribe'> {
  readonly answer: (() => void)[] = [];
  readonly windows = new Set<Parameters<Api['subscribe']>[0]>();

  request(): Promise<Reply> {
    return new Promise((resolve) => this.answer.push(() => resolve({ ok: true, result: null })));
  }

  subscribe(window: Parameters<Api['subscribe']>[0]): () => void {
    this.windows.add(window);
    return () => this.windows.delete(window);
  }
}

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const malformed: [string, string | Buffer, string, number | null][] = [
  ['no JSON', 'hello', 'request.invalid', null],
  ['nothing', '', 'request.invalid', null],
  ['a number', '1', 'request.invalid', null],
  ['null', 'null', 'request.invalid', null],
  ['an array', '[]', 'request.invalid', null],
  ['no id', '{"name":"app.about","input":{}}', 'request.invalid', null],
  ['an id that is a text', '{"id":"1","name":"app.about","input":{}}', 'request.invalid', null],
  ['an id that is no whole number', '{"id":1.5,"name":"app.about","input":{}}', 'request.invalid', null],
  ['a negative id', '{"id":-1,"name":"app.about","input":{}}', 'request.invalid', null],
  ['more than a request has', '{"id":7,"name":"app.about","input":{},"more":1}', 'request.invalid', 7],
  ['__proto__ beside the request', '{"id":7,"name":"app.about","input":{},"__proto__":{"isAdmin":true}}', 'request.invalid', 7],
  ['binary data', Buffer.from('{"id":7,"name":"app.about","input":{}}'), 'request.invalid', null],
  ['an unknown name', '{"id":7,"name":"app.rm","input":{}}', 'request.unknown', 7],
  ['a name of Object', '{"id":7,"name":"constructor","input":{}}', 'request.unknown', 7],
  ['a name that is __proto__', '{"id":7,"name":"__proto__","input":{}}', 'request.unknown', 7],
  ['a name that is an array', '{"id":7,"name":["app.about"],"input":{}}', 'request.unknown', 7],
  ['no name', '{"id":7,"input":{}}', 'request.invalid', 7],
  ['input of another kind', '{"id":7,"name":"runs.get","input":{"run":1}}', 'request.invalid', 7],
  ['more input than is known', '{"id":7,"name":"app.about","input":{"more":1}}', 'request.invalid', 7],
  ['__proto__ in the input', '{"id":7,"name":"app.about","input":{"__proto__":{"polluted":true}}}', 'request.invalid', 7],
  ['constructor in the input', '{"id":7,"name":"settings.set","input":{"constructor":{"prototype":{"polluted":true}}}}', 'request.invalid', 7],
  ['input 10,000 deep', `{"id":7,"name":"app.about","input":${deep(10_000)}}`, 'request.invalid', 7],
  ['a message 400,000 deep', deep(400_000), 'request.invalid', null],
  ['a path for a run', '{"id":7,"name":"runs.get","input":{"run":"../../etc"}}', 'request.invalid', 7],
  ['a path for a file', '{"id":7,"name":"models.add","input":{"file":"../../../etc/passwd"}}', 'request.invalid', 7],
  ['a path for a draft', '{"id":7,"name":"drafts.get","input":{"draft":"..%2f..%2fetc%2fx"}}', 'request.invalid', 7],
];

describe('a message', () => {
  it('that is not a request of this program is refused with a code, and the next one is answered', async () => {
    const door = await openDoor();
    const client = await door.window(await door.signIn());
    for (const [what, message, code, id] of malformed) {
      const answer = nextMessage(client);
      client.socket.send(message);
      expect([what, await answer]).toMatchObject([what, { id, ok: false, error: { code } }]);
    }
    expect(await client.request('app.about', {})).toMatchObject({ door: 'serve' });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each(malformed)('of %s is one line in the log', async (_what, message, code) => {
    const door = await openDoor();
    const client = await door.window(await door.signIn());
    const answer = nextMessage(client);
    client.socket.send(message);
    await answer;
    expect(logged(door)).toEqual([code]);
  });

  it('over a megabyte closes the socket', async () => {
    const door = await openDoor();
    const client = await door.window(await door.signIn());
    client.socket.send(JSON.stringify({ id: 1, name: 'app.about', input: 'x'.repeat(1_000_000) }));
    expect(await client.closed).toMatchObject({ code: 1009 });
    expect(logged(door)).toEqual(['request.too_large']);
  });

  it('that is no web socket frame closes the connection', async () => {
    const door = await openDoor();
    const client = await door.window(await door.signIn());
    (client.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await client.closed;
    expect(logged(door)).toEqual(['request.invalid']);
  });

  it('is answered beside those that are refused: 32 wait, the 33rd is told so', async () => {
    const api = new SlowApi();
    const door = await openDoor({ api });
    const client = await door.window(await door.signIn());
    const waiting = Array.from({ length: 32 }, () => client.ask('app.about', {}));
    expect(await client.ask('app.about', {})).toMatchObject({ ok: false, error: { code: 'request.too_many' } });
    for (const answer of api.answer) answer();
    expect(await Promise.all(waiting)).toHaveLength(32);
    expect(logged(door)).toEqual(['request.too_many']);
  });
});

describe('a flood', () => {
  it('from one session is answered by the limiter, and leaves other sessions alone', async () => {
    const door = await openDoor({ limits: { session: { burst: 20, per_second: 1 } } });
    const flood = await door.window(await door.signIn());
    const honest = await door.window(await door.signIn());
    const answers = await Promise.all(Array.from({ length: 1000 }, () => flood.ask('app.about', {})));
    const codes = answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
    expect(codes.filter((code) => code === 'ok').length).toBeLessThanOrEqual(30);
    expect(new Set(codes)).toEqual(new Set(['ok', 'request.too_many']));
    expect(await honest.request('app.about', {})).toMatchObject({ door: 'serve' });
    expect(logged(door)).toEqual(['request.too_many']);
  });

  it('from strangers is told to wait, while who is signed in and who has the token goes on', async () => {
    const door = await openDoor({ limits: { strangers: { burst: 10, per_second: 0.001 } } });
    const cookie = await door.signIn();
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push((await door.ask({ path: `/login?token=${i}` })).status);
    expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(20).fill(429)]);
    expect(await door.ask({ path: '/', headers: { cookie } })).toMatchObject({ status: 200 });
    await expect(door.signIn()).resolves.toContain('namesake=');
    expect(logged(door)).toEqual(['door.unauthorized', 'request.too_many']);
  });

  it('of sockets finds 32 of them', async () => {
    const door = await openDoor({ api: new SlowApi() });
    const cookie = await door.signIn();
    await Promise.all(Array.from({ length: 32 }, () => door.window(cookie)));
    expect(door.door.windows).toBe(32);
    const client = new Client(door.door.port, { cookie });
    expect(await client.opened()).toBe(429);
    expect(logged(door)).toEqual(['request.too_many']);
  });

  it('of files behind one address finds the session’s own measure', async () => {
    const door = await openDoor({ limits: { session: { burst: 5, per_second: 0.001 } } });
    const cookie = await door.signIn();
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push((await door.ask({ path: '/', headers: { cookie } })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
  });
});

it('a window that is hidden hears events once a second, another one as before', async () => {
  const door = await openDoor();
  const cookie = await door.signIn();
  const [hidden, seen] = [await door.window(cookie), await door.window(cookie)];
  await hidden.request('window.visible', { visible: false });
  const batches = (client: Client): number => client.messages.filter((message) => 'events' in message).length;
  // As many events as fit into three of a hidden window's batches.
  for (let step = 1; batches(hidden) < 3; step++) {
    door.api.tell({ event: 'steps', run: 'a', after: step - 1, steps: [{ step, loss: 1, grad_norm: 1, lr: 1, tokens: 1, tokens_per_second: 1 }] });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(batches(seen)).toBeGreaterThan(3 * batches(hidden));
});

describe('a window that does not listen', () => {
  it('is held back from events once a megabyte waits, and cut when silent for too long', async () => {
    const api = new SlowApi();
    const limits = { ...doorLimits, sockets: { ...socketLimits, silent_ms: 600, beat_ms: 100 } };
    const door = await openDoor({ api, limits });
    const client = await door.window(await door.signIn());
    client.socket.pause();
    const [window] = api.windows;
    if (window === undefined) throw new Error('no window');
    const text = 'x'.repeat(200_000);
    for (let i = 0; i < 200 && window.ready(); i++) {
      window.send([{ event: 'text', chat: 1, side: 'after', at: 0, text }]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(window.ready()).toBe(false);
    await expect.poll(() => door.door.windows, { timeout: 30_000 }).toBe(0);
    expect(api.windows.size).toBe(0);
    client.socket.terminate();
  });

  it('stays while it is quiet but there', async () => {
    const limits = { ...doorLimits, sockets: { ...socketLimits, silent_ms: 2000, beat_ms: 200 } };
    const door = await openDoor({ api: new SlowApi(), limits });
    const client = await door.window(await door.signIn());
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(door.door.windows).toBe(1);
  });

  it('is not read from while it leaves its answers unread', async () => {
    const api = new SlowApi();
    api.request = () => Promise.resolve({ ok: true, result: 'x'.repeat(500_000) });
    const door = await openDoor({ api, limits: { session: { burst: 10_000, per_second: 1000 } } });
    const client = await door.window(await door.signIn());
    let asked = 0;
    const original = api.request.bind(api);
    api.request = () => {
      asked += 1;
      return original();
    };
    client.socket.pause();
    for (let id = 0; id < 500; id++) client.socket.send(JSON.stringify({ id, name: 'app.about', input: {} }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(asked).toBeLessThan(100);
    client.socket.resume();
    await expect.poll(() => client.messages.length, { timeout: 60_000 }).toBe(500);
  });
});

describe('a connection that is slow', () => {
  const limits = { ...doorLimits, connections: { ...doorLimits.connections, headers_ms: 300, idle_ms: 500, keep_alive_ms: 300 } };
  /** Milliseconds until the door closes a connection that sends `bytes`, one each 50 ms. */
  const cutAfter = (port: number, bytes: string): Promise<number> =>
    new Promise((resolve) => {
      const start = performance.now();
      let at = 0;
      const socket = connect(port, '127.0.0.1');
      const timer = setInterval(() => {
        const byte = bytes[at++];
        if (byte !== undefined) socket.write(byte);
      }, 50);
      socket.resume().on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(timer);
        resolve(performance.now() - start);
      });
    });

  it('is cut whether it says nothing, its headers a byte at a time, or the body of an upload not at all', async () => {
    const door = await openDoor({ limits });
    const { port, origin } = door.door;
    const cookie = await door.signIn();
    expect(await cutAfter(port, '')).toBeLessThan(5000);
    expect(await cutAfter(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Slow: ${'x'.repeat(1000)}`)).toBeLessThan(5000);
    const start = performance.now();
    await expect(
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () =>
          socket.write(`POST /files?name=a HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nCookie: ${cookie}\r\nContent-Length: 100\r\n\r\nhalf`),
        );
        socket.resume().on('close', resolve).on('error', reject);
      }),
    ).resolves.toBe(false);
    expect(performance.now() - start).toBeLessThan(5000);
    // A server under attack still answers.
    expect(await ask(port, { path: '/', headers: { cookie } })).toMatchObject({ status: 200 });
  });

  it.skipIf(!canCertify)('is cut in the TLS handshake, too, and does not hold up the end', async () => {
    const { tls } = certify(temporaryFolder());
    const door = await openDoor({ limits, tls });
    const { port } = door.door;
    const [silent, half] = await Promise.all([cutAfter(port, ''), cutAfter(port, '\x16\x03\x01\x02\x00')]);
    expect(Math.max(silent, half)).toBeLessThan(5000);
    expect(logged(door)).toEqual(['request.invalid']);
    const patient = await openDoor({ tls });
    const open = cutAfter(patient.door.port, '');
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await patient.door.close();
    await open;
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('may not send endless headers', async () => {
    const door = await openDoor();
    const answer = await door.ask({ path: '/', headers: { 'x-large': 'x'.repeat(10_000) } });
    expect(answer.status).toBe(431);
    expect(logged(door)).toEqual(['request.too_large']);
  });
});

describe('closing the door', () => {
  it('tells the windows why', async () => {
    const door = await openDoor();
    const client = await door.window(await door.signIn());
    await door.door.close();
    expect(await client.closed).toEqual({ code: 1001, reason: 'the program ends' });
  });
});
