// Chats behind the API: both sides stream at once, replies come after the last piece, and engines are few.
import { existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import type { ApiEvent } from '../../../shared/api.ts';
import { temporaryFolder } from '../../support/files.ts';
import { isAlive } from '../../support/processes.ts';
import { addTinyModel, listener, tinyApi, tinyDraft, type TinyApi } from '../../support/tiny-api.ts';

vi.setConfig({ testTimeout: 60_000 });

async function trained(tiny: TinyApi): Promise<string> {
  const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 4) });
  while (tiny.api.activeRun !== null) await sleep(10);
  return run;
}

/** The text that a window has of one side. */
function textOf(events: readonly ApiEvent[], chat: number, side: string): string {
  let text = '';
  for (const event of events) if (event.event === 'text' && event.chat === chat && event.side === side) text = text.slice(0, event.at) + event.text;
  return text;
}

describe('a chat', () => {
  it('answers with both sides at once, streamed to every window before the reply', async () => {
    const tiny = tinyApi();
    const { ask } = tiny;
    const run = await trained(tiny);
    const windows = [listener(tiny.api), listener(tiny.api)];
    const opened = await ask('chats.open', { target: { run } });
    expect(opened).toMatchObject({ run, sides: ['before', 'after'], turns: [], speaking: null });
    const { chat } = opened;
    const sampling = { temperature: 1, seed: 3 };
    const said = await ask('chats.say', { chat, text: 'Who are you?', sides: ['before', 'after'], max_tokens: 24, sampling });
    expect(Object.keys(said).sort()).toEqual(['answers', 'dropped_turns', 'tokens_per_second']);
    for (const side of ['before', 'after'] as const) {
      expect(said.answers[side]?.text).not.toBe('');
      for (const { events } of windows) expect(textOf(events, chat, side)).toBe(said.answers[side]?.text);
    }
    const again = await ask('chats.reopen', { chat });
    expect(again.turns).toMatchObject([{ user: { content: 'Who are you?' }, answers: { after: { content: said.answers.after?.text } } }]);
    expect(await ask('chats.list', {})).toMatchObject([{ chat, run, first: 'Who are you?' }]);
    const last = await ask('chats.say', { chat, text: 'And?', sides: ['after'], again: true, max_tokens: 2 });
    expect((await ask('chats.reopen', { chat })).turns).toMatchObject([{ user: { content: 'And?' }, answers: { after: { content: last.answers.after?.text } } }]);
    for (const { events } of windows) expect(events).toContainEqual({ event: 'chat', chat });
    await ask('chats.delete', { chat });
    expect(await tiny.refused('chats.reopen', { chat })).toBe('chat.unknown');
    const { checkpoints } = await ask('runs.get', { run });
    const step = checkpoints.find(({ kept }) => kept)?.step ?? 0;
    expect(await ask('chats.open', { target: { run, step } })).toMatchObject({ run, step });
    expect(await tiny.refused('chats.open', { target: { run, step: 99 } })).toBe('run.no_checkpoint');
    const first = checkpoints.find(({ kept, step: at }) => kept && at > 0)?.step ?? 0;
    await ask('runs.choose', { run, step: first });
    expect(await ask('runs.get', { run })).toMatchObject({ chosen_step: first });
    expect(await tiny.refused('runs.choose', { run, step: 99 })).toBe('run.no_checkpoint');
  });

  it('is cancelled, and says what there is; meanwhile it is busy', async () => {
    const tiny = tinyApi();
    const { ask } = tiny;
    const { chat } = await ask('chats.open', { target: { model: await addTinyModel(tiny) } });
    const window = listener(tiny.api);
    const saying = ask('chats.say', { chat, text: 'Tell me.', sides: ['before'], max_tokens: 400, sampling: { temperature: 2, seed: 1 } });
    expect(await tiny.refused('chats.say', { chat, text: 'And?', sides: ['before'] })).toBe('chat.busy');
    await ask('chats.cancel', { chat });
    const { answers } = await saying;
    expect(answers.before?.text).toBe(textOf(window.events, chat, 'before'));
    expect(answers.before?.stop).toMatch(/cancelled|stop/);
    expect(await tiny.refused('chats.say', { chat, text: 'And?', sides: ['after'] })).toBe('request.invalid');
  });

  it('open ones are few, however many are asked for at once, and an old one is gone on with all the same', async () => {
    const engines = new Set<number>();
    const tiny = tinyApi(temporaryFolder(), {
      startEngine: () => {
        const engine = startEngine({ priority: 'normal' });
        engines.add(engine.pid ?? 0);
        return engine;
      },
    });
    const model = await addTinyModel(tiny);
    const chats = await Promise.all(Array.from({ length: 5 }, () => tiny.ask('chats.open', { target: { model } })));
    expect([...engines].filter(isAlive).length).toBeLessThanOrEqual(4);
    const { chat } = chats[0] as (typeof chats)[number];
    expect((await tiny.ask('chats.say', { chat, text: 'Hi', sides: ['before'], max_tokens: 4 })).answers.before?.tokens).toBeGreaterThan(0);
    const replies = await Promise.all(Array.from({ length: 12 }, () => tiny.api.request('chats.open', { target: { model } })));
    expect(replies.flatMap((reply) => (reply.ok ? [] : [reply.error.code]))).toEqual(Array(4).fill('request.too_many'));
    expect([...engines].filter(isAlive).length).toBeLessThanOrEqual(4);
    expect(await tiny.refused('models.remove', { model })).toBe('model.in_use');
    await tiny.api.close();
    expect([...engines].filter(isAlive)).toEqual([]);
  });
});

describe('export', () => {
  it('gives a browser an archive to take, and the desktop a folder to see', async () => {
    const tiny = tinyApi();
    const run = await trained(tiny);
    const exported = await tiny.ask('export.adapter', { run });
    expect(exported.files.every((file) => existsSync(file))).toBe(true);
    expect(exported.download).toMatch(/^[0-9a-f]{32}$/);
    const taken = tiny.core.files.opened(exported.download ?? '');
    expect(taken.name).toMatch(/^.+-adapter\.zip$/);
    expect(existsSync(taken.path)).toBe(true);
    expect(dirname(taken.path)).toBe(tiny.core.home.downloads);
    await tiny.api.close();
    tiny.core.close();
    const desktop = tinyApi(tiny.core.home.folder, {}, 'desktop');
    const again = await desktop.ask('export.adapter', { run });
    expect(again.download).toBeNull();
    expect(desktop.offered).toEqual([{ path: again.folder, name: expect.stringContaining('-adapter') }]);
    expect(existsSync(`${again.folder}.zip`)).toBe(false);
  });
});

it('chats give their engines back some minutes after the last window was closed, not before', async () => {
  const engines: ReturnType<typeof startEngine>[] = [];
  const tiny = tinyApi(temporaryFolder(), {
    startEngine: () => {
      const engine = startEngine({ priority: 'normal' });
      engines.push(engine);
      return engine;
    },
  });
  const [first, second] = [listener(tiny.api), listener(tiny.api)];
  const { chat } = await tiny.ask('chats.open', { target: { model: await addTinyModel(tiny) } });
  const pid = engines.at(-1)?.pid ?? 0;
  await tiny.ask('chats.say', { chat, text: 'Hi', sides: ['before'], max_tokens: 2 });
  const silent = await tiny.ask('chats.open', { target: { model: await addTinyModel(tiny) } });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    first.close();
    vi.advanceTimersByTime(60 * 60_000);
    second.close();
    vi.advanceTimersByTime(4 * 60_000);
    // Who comes back in time finds everything as it was.
    const back = listener(tiny.api);
    vi.advanceTimersByTime(60 * 60_000);
    await sleep(50);
    expect(isAlive(pid)).toBe(true);
    back.close();
    vi.advanceTimersByTime(6 * 60_000);
  } finally {
    vi.useRealTimers();
  }
  while (isAlive(pid)) await sleep(10);
  expect(await tiny.ask('chats.reopen', { chat })).toMatchObject({ chat });
  // Nothing was said in it: it goes once all engines are given back.
  while ((await tiny.api.request('chats.reopen', { chat: silent.chat })).ok) await sleep(10);
  expect(await tiny.refused('chats.reopen', { chat: silent.chat })).toBe('chat.unknown');
});

describe('models and rows by files', () => {
  it('a file that was handed over becomes a model, and goes from the desk', async () => {
    const tiny = tinyApi();
    const window = listener(tiny.api);
    const id = await addTinyModel(tiny);
    expect((await tiny.ask('models.list', {})).find((card) => card.id === id)).toMatchObject({ here: true, purpose: 'own' });
    await tiny.ask('models.remove', { model: id });
    expect((await tiny.ask('models.list', {})).some((card) => card.id === id)).toBe(false);
    while (window.events.filter(({ event }) => event === 'models').length === 0) await sleep(10);
  });

  it('an upload goes once its rows are in the draft; one of which nothing came in is kept for another format', async () => {
    const { core, ask, refused } = tinyApi();
    const { draft } = await ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] } });
    const upload = (text: string): { file: string; path: string } => {
      const path = core.files.temporaryPath();
      writeFileSync(path, text);
      return { file: core.files.receive(path, 'rows.jsonl', { temporary: true }), path };
    };
    const rows = upload('{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n');
    expect(await ask('rows.import', { draft, file: rows.file, format: 'auto' })).toMatchObject({ added: 1 });
    expect(existsSync(rows.path)).toBe(false);
    expect(await refused('rows.import', { draft, file: rows.file, format: 'auto' })).toBe('file.unknown');
    const other = upload('no rows');
    for (const format of ['auto', 'alpaca'] as const) expect(await ask('rows.import', { draft, file: other.file, format })).toMatchObject({ added: 0 });
    expect(existsSync(other.path)).toBe(true);
  });

  it('a file that is no model is refused by what it is', async () => {
    const tiny = tinyApi();
    const file = tiny.core.files.receive(import.meta.filename, 'x.gguf', { temporary: false });
    expect(await tiny.refused('models.add', { file })).toMatch(/^model\./);
    const { draft } = await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] } });
    const reply = await tiny.api.request('rows.import', { draft, file, format: 'auto' });
    expect(JSON.stringify(reply)).not.toContain(import.meta.dirname);
  });
});

it('settings, doctor and folders', async () => {
  const tiny = tinyApi();
  const window = listener(tiny.api);
  await tiny.ask('settings.set', { theme: 'dark' });
  while (window.events.length === 0) await sleep(10);
  expect(window.events).toMatchObject([{ event: 'settings', settings: { theme: 'dark' } }]);
  expect(await tiny.ask('settings.set_token', { source: 'huggingface', token: 'hf_x' })).toEqual({ kept: 'memory' });
  const report = await tiny.ask('app.doctor', {});
  expect(report).toMatchObject({ home: tiny.core.home.folder, engine_error: null });
  await tiny.ask('app.show', { what: 'home' });
  expect(tiny.shown).toEqual([tiny.core.home.folder]);
});
