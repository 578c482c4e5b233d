// The browser door's transport over a real web socket server that misbehaves: nothing is asked twice, nothing waits for ever.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket as Socket } from 'ws';
import { Api } from '../../../renderer/api.ts';
import { backoff, ownDoor, socketTransport } from '../../../renderer/door/socket-transport.ts';
import type { Connection } from '../../../renderer/door/transport.ts';

interface Asked {
  id: number;
  name: string;
  input: unknown;
}

/** A door whose answers are the test's. */
class Door {
  server: Server;
  sockets: WebSocketServer;
  asked: Asked[] = [];
  admits = true;
  uploaded = '';
  onAsked: (socket: Socket, asked: Asked) => void = (socket, { id }) => socket.send(JSON.stringify({ id, ok: true, result: id }));

  constructor() {
    this.server = createServer((request, response) => {
      if (request.method === 'HEAD') return void response.writeHead(this.admits ? 200 : 401).end();
      const refusal = { ok: false, error: { code: 'file.too_large', detail: 'd', params: { limit: 64 } } };
      this.uploaded += `${new URL(request.url ?? '', 'http://door').searchParams.get('name')}: `;
      request.setEncoding('utf8').on('data', (text: string) => (this.uploaded += text));
      request.on('end', () => response.end(JSON.stringify(this.admits ? { ok: true, result: { file: 'f', name: 'plain' } } : refusal)));
    });
    this.sockets = new WebSocketServer({ server: this.server, path: '/w/secret/api', verifyClient: () => this.admits });
    this.sockets.on('connection', (socket) => {
      socket.on('message', (data) => {
        const asked = JSON.parse(String(data)) as Asked;
        this.asked.push(asked);
        this.onAsked(socket, asked);
      });
    });
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }

  breakAll(): void {
    for (const socket of this.sockets.clients) socket.terminate();
  }

  async close(): Promise<void> {
    this.breakAll();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let door: Door;
let api: Api;
let port: number;
let connections: Connection[];

beforeEach(async () => {
  door = new Door();
  port = await door.listen();
  connections = [];
  const options = ownDoor(`http://127.0.0.1:${port}/w/secret/#run/x`);
  api = new Api(socketTransport({ ...options, delay: () => 20 }));
  api.onConnection((connection) => connections.push(connection));
});

afterEach(async () => {
  api.close();
  await door.close();
});

describe('socketTransport', () => {
  it('asks in the door’s form; what is asked before it is connected waits', async () => {
    expect(await api.request('runs.get', { run: 'a' })).toBe(1);
    expect(await api.request('runs.list', {})).toBe(2);
    expect(door.asked).toEqual([{ id: 1, name: 'runs.get', input: { run: 'a' } }, { id: 2, name: 'runs.list', input: {} }]);
    expect(connections).toEqual(['connecting', 'open']);
  });

  it('gives each answer to the request that it belongs to, and hears events between them', async () => {
    const held: (() => void)[] = [];
    door.onAsked = (socket, { id, name }) => held.push(() => socket.send(JSON.stringify({ id, ok: true, result: name })));
    let heard = 0;
    api.on('runs', () => heard++);
    const answers = Promise.all([api.request('runs.list', {}), api.request('models.list', {})]);
    await expect.poll(() => held.length).toBe(2);
    for (const socket of door.sockets.clients) socket.send(JSON.stringify({ events: [{ event: 'runs' }] }));
    for (const answer of held.reverse()) answer();
    expect(await answers).toEqual(['runs.list', 'models.list']);
    expect(heard).toBe(1);
  });

  it('comes back after the connection broke; what was asked failed once and is not asked again', async () => {
    door.onAsked = () => door.breakAll();
    let lost = 0;
    api.on('lost', () => lost++);
    await expect(api.request('runs.pause', { run: 'a' })).rejects.toMatchObject({ code: 'door.lost' });
    await expect.poll(() => lost).toBe(1);
    door.onAsked = (socket, { id }) => socket.send(JSON.stringify({ id, ok: true, result: 'fine' }));
    expect(await api.request('runs.list', {})).toBe('fine');
    expect(door.asked.map(({ name }) => name)).toEqual(['runs.pause', 'runs.list']);
    expect(connections).toEqual(['connecting', 'open', 'lost', 'open']);
  });

  it('refuses at once while there is no connection, and tries until the door is back', async () => {
    await api.request('runs.list', {});
    await door.close();
    await expect.poll(() => api.connection).toBe('lost');
    await expect(api.request('runs.stop', { run: 'a' })).rejects.toMatchObject({ code: 'door.lost' });
    door = new Door();
    await door.listen(port);
    await expect.poll(() => api.connection, { timeout: 10_000 }).toBe('open');
    expect(door.asked).toEqual([]);
  });

  it('notices a connection that died without a word, and leaves one alone that is only quiet', async () => {
    const seen: Connection[] = [];
    const quick = new Api(socketTransport({ ...ownDoor(`http://127.0.0.1:${port}/w/secret/`), delay: () => 20, beat_ms: 500 }));
    quick.onConnection((connection) => seen.push(connection));
    await expect.poll(() => door.asked.length).toBeGreaterThanOrEqual(3);
    expect(new Set(door.asked.map(({ name }) => name))).toEqual(new Set(['app.about']));
    expect(seen).toEqual(['connecting', 'open']);
    const before = door.sockets.clients.size;
    door.onAsked = () => undefined;
    const waits = quick.request('runs.list', {});
    await expect(waits).rejects.toMatchObject({ code: 'door.lost' });
    await expect.poll(() => seen.slice(0, 4)).toEqual(['connecting', 'open', 'lost', 'open']);
    quick.close();
    await expect.poll(() => door.sockets.clients.size).toBe(before - 1);
  });

  it('stops trying where the door no longer lets this browser in', async () => {
    await api.request('runs.list', {});
    door.admits = false;
    door.breakAll();
    await expect.poll(() => api.connection, { timeout: 10_000 }).toBe('signed_out');
    expect(connections).toEqual(['connecting', 'open', 'lost', 'signed_out']);
  });

  it('knows a session that was ended by its close code', async () => {
    await api.request('runs.list', {});
    for (const socket of door.sockets.clients) socket.close(4401);
    await expect.poll(() => api.connection).toBe('signed_out');
    await expect(api.request('runs.list', {})).rejects.toMatchObject({ code: 'door.lost' });
  });

  it('fails what waits when it is closed, and does not come back', async () => {
    door.onAsked = () => undefined;
    const waits = api.request('runs.list', {});
    await expect.poll(() => door.asked.length).toBe(1);
    api.close();
    await expect(waits).rejects.toMatchObject({ code: 'door.lost' });
    await expect.poll(() => door.sockets.clients.size).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(door.sockets.clients.size).toBe(0);
  });

  it('uploads files beside the page; a door that is gone is a code', async () => {
    const file = new File(['{"messages":[]}'], '行 1.jsonl');
    expect(await api.handOver(file, 'rows')).toEqual({ file: 'f', name: 'plain' });
    expect(door.uploaded).toBe('行 1.jsonl: {"messages":[]}');
    door.admits = false;
    await expect(api.handOver(file, 'rows')).rejects.toMatchObject({ code: 'file.too_large', params: { limit: 64 } });
    await door.close();
    await expect(api.handOver(file, 'rows')).rejects.toMatchObject({ code: 'door.lost' });
  });

  it('waits longer from attempt to attempt, up to ten seconds', () => {
    const waits = [1, 2, 3, 10, 60].map(backoff);
    [250, 500, 1000, 10_000, 10_000].forEach((middle, i) => {
      expect(waits[i]).toBeGreaterThanOrEqual(0.8 * middle);
      expect(waits[i]).toBeLessThanOrEqual(1.2 * middle);
    });
  });
});
