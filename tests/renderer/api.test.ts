// The facade is the same over every transport: typed results, errors by code, one signal to read the state again.
import { describe, expect, it, vi } from 'vitest';
import { Api } from '../../renderer/api.ts';
import { windowTransport } from '../../renderer/door/window-transport.ts';
import type { ApiEvent } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { explainError } from '../../shared/i18n/translate.ts';
import type { WindowApi } from '../../shared/window-api.ts';
import { FakeTransport } from './fake-transport.ts';

describe('Api', () => {
  it('gives results and throws errors with their code and what their wording needs', async () => {
    const transport = new FakeTransport();
    const api = new Api(transport);
    const listed = api.request('runs.list', {});
    transport.asked[0]?.answer([]);
    expect(await listed).toEqual([]);
    const refused = api.request('runs.get', { run: 'x' });
    transport.asked[0]?.refuse(new NamesakeError('run.unknown', 'no x', { run: 'x' }));
    const error = await refused.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NamesakeError);
    expect(error).toMatchObject({ code: 'run.unknown', params: { run: 'x' } });
    expect(explainError('zh', error as NamesakeError)).toContain('x');
  });

  it('takes a code that it does not know for a fault of the program', async () => {
    const api = new Api({
      start: () => undefined,
      request: () => Promise.resolve({ ok: false, error: { code: 'later.code' as never, detail: 'd', params: {} } }),
      handOver: () => Promise.reject(new Error()),
      close: () => undefined,
    });
    await expect(api.request('runs.list', {})).rejects.toMatchObject({ code: 'internal', detail: 'later.code: d' });
  });

  it('tells events to those who listen, until they no longer do', () => {
    const transport = new FakeTransport();
    const api = new Api(transport);
    const heard: string[] = [];
    const off = api.on('text', ({ text }) => heard.push(text));
    api.on('runs', () => heard.push('runs'));
    const text: ApiEvent = { event: 'text', chat: 1, side: 'after', at: 0, text: 'a' };
    transport.tell(text, { event: 'runs' }, { event: 'models' });
    off();
    transport.tell(text, { event: 'runs' });
    expect(heard).toEqual(['a', 'runs', 'runs']);
  });

  it('says `lost` after each reconnection and not at the beginning', () => {
    const transport = new FakeTransport();
    const api = new Api(transport);
    const heard: string[] = [];
    api.on('lost', () => heard.push('lost'));
    api.onConnection((connection) => heard.push(connection));
    for (const connection of ['open', 'lost', 'open', 'signed_out'] as const) transport.connect(connection);
    expect(heard).toEqual(['connecting', 'open', 'lost', 'open', 'lost', 'signed_out']);
  });

  it('says whether the page is seen, whenever that changes and after each connection', () => {
    const page = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal('document', page);
    try {
      const transport = new FakeTransport();
      const api = new Api(transport);
      const turn = (hidden: boolean): void => {
        page.hidden = hidden;
        page.dispatchEvent(new Event('visibilitychange'));
      };
      turn(true);
      transport.connect('open');
      turn(false);
      transport.connect('lost');
      turn(true);
      transport.connect('open');
      api.close();
      turn(false);
      expect(transport.asked.map(({ name, input }) => [name, input])).toEqual([false, true, false].map((visible) => ['window.visible', { visible }]));
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('hands files over and gives their ids', async () => {
    const transport = new FakeTransport();
    const api = new Api(transport);
    expect(await api.handOver(new File(['x'], 'rows.jsonl'), 'rows')).toEqual({ file: '0'.repeat(32), name: 'rows.jsonl' });
    expect(api.asksForFiles).toBe(false);
    await expect(api.chooseFile('rows')).rejects.toMatchObject({ code: 'door.unsupported' });
    api.close();
    expect(transport.closed).toBe(true);
  });
});

describe('windowTransport', () => {
  it('asks, listens and hands over through what the preload gives', async () => {
    const calls: unknown[] = [];
    let tell = (_events: ApiEvent[]): void => undefined;
    const given: WindowApi = {
      request: (name, input) => {
        calls.push([name, input]);
        return Promise.resolve({ ok: true, result: [] });
      },
      onEvents: (listener) => {
        tell = listener;
        return () => void calls.push('unsubscribed');
      },
      files: {
        choose: (kind) => Promise.resolve({ ok: true, result: kind === 'model' ? { file: 'f', name: 'm.gguf' } : null }),
        fromDrop: (file, kind) => {
          calls.push([(file as File).name, kind]);
          return Promise.resolve({ ok: true, result: { file: 'f', name: 'n' } });
        },
      },
      platform: 'linux',
      language: 'zh',
    };
    const api = new Api(windowTransport(given));
    expect(api.connection).toBe('open');
    let heard = 0;
    api.on('runs', () => heard++);
    tell([{ event: 'runs' }]);
    expect(heard).toBe(1);
    expect(await api.request('runs.list', {})).toEqual([]);
    await api.handOver(new File([], 'm.gguf'), 'model');
    expect([api.asksForFiles, await api.chooseFile('model'), await api.chooseFile('rows')]).toEqual([true, { file: 'f', name: 'm.gguf' }, null]);
    api.close();
    expect(calls).toEqual([['runs.list', {}], ['m.gguf', 'model'], 'unsubscribed']);
  });
});
