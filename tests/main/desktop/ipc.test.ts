import { EventEmitter } from 'node:events';
import { beforeEach, expect, test, vi } from 'vitest';
import type { EventWindow } from '../../../main/api/event-hub.ts';
import { IpcRouter, isOwnSender, type IpcOptions } from '../../../main/desktop/ipc.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { Reply } from '../../../shared/api.ts';

type Handler = (event: unknown, ...args: unknown[]) => Promise<Reply>;

const electron = vi.hoisted(() => ({
  handlers: new Map<string, unknown>(),
  listeners: new Map<string, unknown>(),
  own: new Set<unknown>(),
}));
vi.mock('electron', () => ({
  ipcMain: {
    handle: (channel: string, handler: unknown) => electron.handlers.set(channel, handler),
    on: (channel: string, listener: unknown) => electron.listeners.set(channel, listener),
  },
  protocol: {},
  BrowserWindow: { fromWebContents: (contents: unknown) => (electron.own.has(contents) ? {} : null) },
}));

const main = { parent: null, frameTreeNodeId: 1, origin: 'app://namesake' };

class Contents extends EventEmitter {
  readonly mainFrame = main;
  readonly sent: unknown[] = [];
  isDestroyed = (): boolean => false;
  send = (channel: string, events: unknown): void => void this.sent.push([channel, events]);
}

let contents: Contents;
let lines: { code: string; channel?: string }[];
let windows: EventWindow[];
let router: IpcRouter;

function build(change: Partial<IpcOptions> = {}): void {
  electron.handlers.clear();
  contents = new Contents();
  electron.own.add(contents);
  lines = [];
  windows = [];
  const log = { warn: (line: { code: string }) => lines.push(line), error: (line: { code: string }) => lines.push(line) };
  router = new IpcRouter({
    api: {
      request: (name) => Promise.resolve({ ok: true, result: name }),
      subscribe: (window) => {
        windows.push(window);
        return () => windows.splice(windows.indexOf(window), 1);
      },
    },
    log: log as unknown as IpcOptions['log'],
    chooseFile: () => Promise.resolve(null),
    dropFile: () => null,
    ...change,
  });
  router.connect(contents as never);
}
beforeEach(() => build());

const event = (change: object = {}): { sender: unknown; senderFrame: unknown } => ({ sender: contents, senderFrame: { ...main }, ...change });
const call = (channel: string, sent: unknown, ...args: unknown[]): Promise<Reply> => (electron.handlers.get(channel) as Handler)(sent, ...args);
const strangers = (): [string, { sender: unknown; senderFrame: unknown }][] => [
  ['a frame that is gone', event({ senderFrame: null })],
  ['a sub-frame of the own origin', event({ senderFrame: { parent: main, frameTreeNodeId: 2, origin: 'app://namesake' } })],
  ['another origin', event({ senderFrame: { ...main, origin: 'https://namesake' } })],
  ['a look-alike', event({ senderFrame: { ...main, origin: 'app://namesake.example.com' } })],
  ['an opaque origin', event({ senderFrame: { ...main, origin: 'null' } })],
  ['the top frame of another page', event({ senderFrame: { ...main, frameTreeNodeId: 7 } })],
  ['a page in no window of the app', event({ sender: new Contents() })],
];

test('a request says whose window it is from', async () => {
  const asked: (EventWindow | null | undefined)[] = [];
  build({
    api: {
      request: (_name, _input, window) => {
        asked.push(window);
        return Promise.resolve({ ok: true, result: null });
      },
      subscribe: (window) => {
        windows.push(window);
        return () => undefined;
      },
    },
  });
  await call('request', event(), 'window.visible', { visible: false });
  expect(asked).toEqual([windows[0]]);
});

test('the main frame of the own page is heard', async () => {
  expect(isOwnSender(event() as never)).toBe(true);
  expect(await call('request', event(), 'runs.list', {})).toEqual({ ok: true, result: 'runs.list' });
  expect(lines).toEqual([]);
});

test('nobody else is, on no channel: a code and one line of the log each', async () => {
  expect([...electron.handlers.keys()].sort()).toEqual(['files.choose', 'files.drop', 'request']);
  for (const [who, sent] of strangers()) {
    for (const channel of electron.handlers.keys()) {
      lines.length = 0;
      expect(await call(channel, sent, 'runs.list', {}), who).toMatchObject({ ok: false, error: { code: 'door.refused' } });
      expect(lines, who).toMatchObject([{ code: 'door.refused', channel }]);
    }
    const before = windows[0]?.ready();
    (electron.listeners.get('events.taken') as (event: unknown) => void)(sent);
    expect(windows[0]?.ready(), who).toBe(before);
  }
});

test('events go out one batch at a time, and wait while a page loads', () => {
  const taken = (): void => (electron.listeners.get('events.taken') as (event: unknown) => void)(event());
  const [window] = windows;
  expect(window?.ready()).toBe(false);
  taken();
  expect(window?.ready()).toBe(true);
  window?.send([{ event: 'runs' }]);
  expect(contents.sent).toEqual([['events', [{ event: 'runs' }]]]);
  expect(window?.ready()).toBe(false);
  taken();
  contents.emit('did-start-navigation', { isMainFrame: false, isSameDocument: false });
  contents.emit('did-start-navigation', { isMainFrame: true, isSameDocument: true });
  expect(window?.ready()).toBe(true);
  contents.emit('did-start-navigation', { isMainFrame: true, isSameDocument: false });
  expect(window?.ready()).toBe(false);
  taken();
  contents.emit('render-process-gone', {}, { reason: 'crashed' });
  expect(window?.ready()).toBe(false);
  contents.emit('destroyed');
  expect(windows).toEqual([]);
});

test('a page that stays after all, because where it was to go was refused, is told on', () => {
  const taken = (): void => (electron.listeners.get('events.taken') as (event: unknown) => void)(event());
  const leave = (): boolean => contents.emit('did-start-navigation', { isMainFrame: true, isSameDocument: false });
  const ready = (): boolean | undefined => windows[0]?.ready();
  taken();
  leave();
  leave();
  expect(ready()).toBe(false);
  contents.emit('did-stop-loading');
  expect(ready()).toBe(true);
  // What it has not taken yet it still has to take.
  windows[0]?.send([{ event: 'runs' }]);
  leave();
  contents.emit('did-stop-loading');
  expect(ready()).toBe(false);
  taken();
  // Another page has come: it says itself that it listens, before or after its load ends.
  leave();
  contents.emit('did-navigate');
  contents.emit('did-stop-loading');
  expect(ready()).toBe(false);
  taken();
  leave();
  taken();
  contents.emit('did-navigate');
  contents.emit('did-stop-loading');
  expect(ready()).toBe(true);
  leave();
  contents.emit('render-process-gone', {}, { reason: 'crashed' });
  contents.emit('did-stop-loading');
  expect(ready()).toBe(false);
});

test('what a handler throws is a reply: by its code, or internal without its words', async () => {
  build({
    dropFile: () => {
      throw new NamesakeError('file.unknown', 'gone');
    },
    chooseFile: () => Promise.reject(new Error('/home/ann/secret')),
  });
  expect(await call('files.drop', event(), '/x', 'rows')).toMatchObject({ ok: false, error: { code: 'file.unknown' } });
  const reply = await call('files.choose', event(), 'rows');
  expect(reply).toMatchObject({ ok: false, error: { code: 'internal' } });
  expect(JSON.stringify([reply, lines])).not.toContain('secret');
});

test('a page that went wild is refused, and heard again after a while', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    build();
    const codes = await Promise.all(Array.from({ length: 500 }, async () => (await call('request', event(), 'a')).ok));
    expect(codes.filter(Boolean)).toHaveLength(200);
    expect(lines).toMatchObject([{ code: 'request.too_many' }]);
    vi.advanceTimersByTime(1000);
    expect((await call('request', event(), 'a')).ok).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});
