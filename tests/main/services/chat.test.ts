import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEngine, type EngineProcess } from '../../../main/engine/client.ts';
import { Home } from '../../../main/home.ts';
import { ChatPartners } from '../../../main/services/chat-partner.ts';
import { ChatService, type ChatPiece } from '../../../main/services/chat.ts';
import { ModelService } from '../../../main/services/model.ts';
import { ChatStore } from '../../../main/store/chats.ts';
import { openDatabase } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { RunStore } from '../../../main/store/runs.ts';
import type { Side, Spoken } from '../../../shared/api.ts';
import { greedy, samplingSchema } from '../../../shared/chat.ts';
import { rejectedBy, thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { finishedRun } from '../../support/finished-run.ts';
import { tinyModel } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const both: readonly Side[] = ['before', 'after'];
const brief = { max_tokens: 8, sampling: greedy };

function tinyChats(folder = temporaryFolder()) {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  const [runs, store, models] = [new RunStore(db), new ChatStore(db), new ModelStore(db)];
  const engines: EngineProcess[] = [];
  const start = (): EngineProcess => {
    const engine = startEngine({ priority: 'normal' });
    engines.push(engine);
    return engine;
  };
  const service = new ModelService(home, models, { log: () => undefined, onBytes: () => undefined });
  const partners = new ChatPartners(home, runs, service, start, () => ({ threads: 1, isa: 'auto' }));
  const chats = new ChatService(store, partners);
  const pieces: ChatPiece[] = [];
  chats.onText((piece) => pieces.push(piece));
  onTestFinished(async () => {
    await chats.closeAll();
    db.close();
  });
  /** What was streamed on a side, put together as a window does. */
  const streamed = (chat: number, side: Side): string =>
    pieces.filter((piece) => piece.chat === chat && piece.side === side).reduce((text, { at, text: more }) => text.slice(0, at) + more, '');
  const alive = (): number => engines.filter(({ pid }) => pid !== undefined && existsSync(`/proc/${pid}`)).length;
  return { home, db, runs, store, partners, chats, engines, pieces, streamed, alive };
}

/** Spoken slowly: by the plain loops, and long. */
const slow = { model: tinyModel, device: 'reference' } as const;
const long = { text: 'Tell me', sides: ['before'] as const, max_tokens: 350, sampling: samplingSchema.parse({ temperature: 5, seed: 8 }) };

/** Sets every weight of an adapter to zero. */
function emptyAdapter(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0, 8 + Number(bytes.readBigUInt64LE(0)));
  writeFileSync(path, bytes);
}

/** What is kept of how answers ended. */
function cutOf(answers: Spoken['answers']): Partial<Record<Side, string>> {
  return Object.fromEntries(Object.entries(answers).flatMap(([side, { stop }]) => (stop === 'stop' ? [] : [[side, stop]])));
}

/** Comes true with the first piece of a chat's answer. */
function firstPiece(chats: ChatService, chat: number): Promise<ChatPiece> {
  return new Promise((resolve) => {
    const unlisten = chats.onText((piece) => {
      if (piece.chat !== chat) return;
      unlisten();
      resolve(piece);
    });
  });
}

describe('an assistant', () => {
  it('and its base answer side by side, as each does alone, and every piece is heard once', async () => {
    const { home, runs, chats, pieces, streamed } = tinyChats();
    const opened = await chats.open({ run: finishedRun(home, runs) }, undefined);
    expect(opened).toMatchObject({ run: '20260101-000000-abcdef', model: tinyModel, system: null, sides: both, turns: [], speaking: null });
    const said = await chats.say(opened.chat, { text: 'Who are you?', sides: both, ...brief });
    const { before, after } = said.answers;
    expect(before?.text).not.toBe(after?.text);
    for (const side of both) {
      expect(streamed(opened.chat, side)).toBe(said.answers[side]?.text);
      let length = 0;
      for (const { at, text } of pieces.filter((piece) => piece.side === side)) {
        expect(at).toBe(length);
        length += text.length;
      }
    }
    expect(said.tokens_per_second).toBeGreaterThan(0);
    expect(said.dropped_turns).toBe(0);
    for (const side of both) {
      const { chat } = await chats.open({ run: opened.run ?? '' }, undefined);
      const alone = await chats.say(chat, { text: 'Who are you?', sides: [side, side], ...brief });
      expect(alone.answers).toEqual({ [side]: said.answers[side] });
    }
  });

  it('draws with the same seed on both sides: the same words where the adapter is not asked', async () => {
    const { chats } = tinyChats();
    const say = async (seed: number): Promise<string | undefined> => {
      const { chat } = await chats.open({ model: tinyModel }, undefined);
      const sampling = samplingSchema.parse({ temperature: 1, seed });
      return (await chats.say(chat, { text: 'Tell me', sides: ['before'], max_tokens: 20, sampling })).answers.before?.text;
    };
    expect(await say(1)).toBe(await say(1));
    expect(await say(2)).not.toBe(await say(1));
  });

  it('whose run is not finished, or not there, cannot be spoken to', async () => {
    const { home, runs, chats, store, alive } = tinyChats();
    const run = finishedRun(home, runs);
    runs.create('begun', runs.get(run).recipe);
    expect((await rejectedBy(chats.open({ run: 'begun' }, undefined))).code).toBe('run.no_checkpoint');
    expect((await rejectedBy(chats.open({ run: 'none' }, undefined))).code).toBe('run.unknown');
    expect((await rejectedBy(chats.open({ model: 'no/such.gguf' }, undefined))).code).toBe('model.not_found');
    expect(store.list()).toEqual([]);
    expect(alive()).toBe(0);
  });
});

describe('an earlier checkpoint', () => {
  it('answers in the place of the chosen adapter, also after a restart; one that is gone cannot be asked', async () => {
    const folder = temporaryFolder();
    const made = tinyChats(folder);
    const run = finishedRun(made.home, made.runs);
    // The chosen adapter with its weights at zero: it answers as the base does.
    const saved = made.home.run(run).checkpoint(4);
    cpSync(made.home.run(run).adapter, saved, { recursive: true });
    emptyAdapter(join(saved, 'adapter_model.safetensors'));
    made.runs.addCheckpoint(run, 4);
    const { chat, step } = await made.chats.open({ run, step: 4 }, undefined);
    expect(step).toBe(4);
    const { answers } = await made.chats.say(chat, { text: 'Who are you?', sides: both, ...brief });
    expect(answers.after?.text).toBe(answers.before?.text);
    const chosen = await made.chats.open({ run }, undefined);
    expect((await made.chats.say(chosen.chat, { text: 'Who are you?', sides: ['after'], ...brief })).answers.after?.text).not.toBe(answers.after?.text);
    expect((await rejectedBy(made.chats.open({ run, step: 5 }, undefined))).code).toBe('run.no_checkpoint');
    await made.chats.closeAll();
    made.db.close();

    const { chats, runs } = tinyChats(folder);
    expect(chats.reopen(chat).step).toBe(4);
    expect((await chats.say(chat, { text: 'Who are you?', sides: both, again: true, ...brief })).answers).toEqual(answers);
    runs.dropCheckpoint(run, 4);
    await chats.close(chat);
    expect((await rejectedBy(chats.say(chat, { text: 'And?', sides: both, ...brief }))).code).toBe('run.no_checkpoint');
  });
});

describe('a model alone', () => {
  it('has one side, and takes a system text', async () => {
    const { chats } = tinyChats();
    const { chat, sides, system } = await chats.open({ model: tinyModel }, 'ab');
    expect({ sides, system }).toEqual({ sides: ['before'], system: 'ab' });
    const { answers } = await chats.say(chat, { text: 'hi', sides: ['before'], ...brief });
    const empty = await chats.open({ model: tinyModel }, '');
    const plain = await chats.say(empty.chat, { text: 'hi', sides: ['before'], ...brief });
    // The tiny vocabulary has a token for each byte.
    expect((answers.before?.prompt_tokens ?? 0) - (plain.answers.before?.prompt_tokens ?? 0)).toBe(2);
    expect((await rejectedBy(chats.say(chat, { text: 'hi', sides: ['after'], ...brief }))).code).toBe('request.invalid');
  });
});

describe('a conversation', () => {
  it('goes on after a restart: each side remembers what it said itself', async () => {
    const folder = temporaryFolder();
    const made = tinyChats(folder);
    const { chat } = await made.chats.open({ run: finishedRun(made.home, made.runs) }, 'Be brief.');
    const one = await made.chats.say(chat, { text: 'Hi', sides: both, ...brief });
    const two = await made.chats.say(chat, { text: 'And?', sides: ['after'], ...brief });
    await made.chats.closeAll();
    made.db.close();

    const { chats } = tinyChats(folder);
    const again = chats.reopen(chat);
    const words = (text: string | undefined) => ({ role: 'assistant', content: text });
    expect(again).toMatchObject({ chat, run: '20260101-000000-abcdef', system: 'Be brief.', sides: both });
    expect(again.turns).toEqual([
      {
        user: { role: 'user', content: 'Hi' },
        answers: { before: words(one.answers.before?.text), after: words(one.answers.after?.text) },
        cut: cutOf(one.answers),
      },
      { user: { role: 'user', content: 'And?' }, answers: { after: words(two.answers.after?.text) }, cut: cutOf(two.answers) },
    ]);
    // Eight tokens are no whole answer of this model's: a window says so after a restart too.
    expect(again.turns[0]?.cut).not.toEqual({});
    const three = await chats.say(chat, { text: 'So?', sides: both, ...brief });
    // The base was not asked "And?", so it has one turn less behind it.
    expect(three.answers.before?.prompt_tokens).toBeLessThan(three.answers.after?.prompt_tokens ?? 0);
    expect(three.answers.before?.prompt_tokens).toBeGreaterThan(one.answers.before?.prompt_tokens ?? Infinity);
    expect(chats.list()).toMatchObject([{ chat, first: 'Hi', run: '20260101-000000-abcdef' }]);
  });

  it('drops its oldest turns when the model can hold no more, and says how many; never the system text', async () => {
    const { chats, store } = tinyChats();
    const { chat } = await chats.open({ model: tinyModel }, 'S'.repeat(40));
    const dropped: number[] = [];
    for (let i = 0; i < 30; i++) store.addTurn(chat, `question ${i} ${'x'.repeat(60)}`, { before: { text: `answer ${i}`, stop: 'stop' } });
    for (let i = 0; i < 3; i++) dropped.push((await chats.say(chat, { text: `now ${i}`, sides: ['before'], ...brief })).dropped_turns);
    expect(dropped[0]).toBeGreaterThan(0);
    expect(dropped[2]).toBeGreaterThanOrEqual(dropped[0] ?? 0);
    expect(store.turns(chat)).toHaveLength(33);
    // One turn less would not have fitted: the answer says what prompt there was.
    const { answers, dropped_turns } = await chats.say(chat, { text: 'end', sides: ['before'], ...brief });
    const turn = 90;
    expect(answers.before?.prompt_tokens).toBeGreaterThan(512 - 8 - 2 * turn);
    expect(dropped_turns).toBeLessThan(33);
    const long = await rejectedBy(chats.say(chat, { text: 'y'.repeat(2000), sides: ['before'], ...brief }));
    expect(long.code).toBe('context.overflow');
    expect(store.turns(chat)).toHaveLength(34);
  });

  it('takes its last turn back and asks again: what was said there is not remembered', async () => {
    const { chats } = tinyChats();
    const { chat } = await chats.open({ model: tinyModel }, undefined);
    const say = async (text: string, again: boolean) => (await chats.say(chat, { text, sides: ['before'], again, ...brief })).answers.before;
    const first = await say('Hi', false);
    await say('And?', false);
    const instead = await say('So?', true);
    expect(chats.reopen(chat).turns.map(({ user, answers }) => [user.content, answers.before?.content])).toEqual([['Hi', first?.text], ['So?', instead?.text]]);
    const changes: number[] = [];
    chats.onChange((changed) => changes.push(changed));
    const same = await say('So?', true);
    expect(same).toEqual(instead);
    expect(changes).toEqual([chat, chat]);
  });

  it('is listed while its first answer is being spoken, and says what is taken back', async () => {
    const { chats } = tinyChats();
    const { chat } = await chats.open(slow, undefined);
    expect(chats.list()).toEqual([]);
    const saying = chats.say(chat, long);
    expect(chats.list()).toMatchObject([{ chat, first: 'Tell me', step: null }]);
    await firstPiece(chats, chat);
    await chats.cancel(chat);
    await saying;
    const again = chats.say(chat, { ...long, again: true });
    await firstPiece(chats, chat);
    expect(chats.reopen(chat)).toMatchObject({ speaking: { again: true, cut: {} }, turns: [{ cut: { before: 'cancelled' } }] });
    await chats.cancel(chat);
    await again;
    expect(chats.reopen(chat).turns).toHaveLength(1);
  });

  it('answers one thing at a time, and shows another window what is being said', async () => {
    const { chats, pieces, streamed } = tinyChats();
    const { chat } = await chats.open(slow, undefined);
    const saying = chats.say(chat, long);
    expect((await rejectedBy(chats.say(chat, { ...long, ...brief }))).code).toBe('chat.busy');
    await firstPiece(chats, chat);
    const { speaking, turns } = chats.reopen(chat);
    const heard = pieces.length;
    expect(turns).toEqual([]);
    expect(speaking?.user.content).toBe('Tell me');
    const { answers } = await saying;
    // What the window saw, and the pieces that came after, are the answer.
    const seen = speaking?.answers.before?.content ?? '';
    expect(seen).not.toBe('');
    expect(pieces.slice(heard)).not.toEqual([]);
    expect(pieces.slice(heard).reduce((text, { at, text: more }) => text.slice(0, at) + more, seen)).toBe(answers.before?.text);
    expect(streamed(chat, 'before')).toBe(answers.before?.text);
    expect((chats.reopen(chat)).speaking).toBeNull();
  });

  it('that is cancelled keeps what was said; another one goes on untouched', async () => {
    const { chats } = tinyChats();
    const [one, two] = [(await chats.open(slow, undefined)).chat, (await chats.open(slow, undefined)).chat];
    const whole = (await chats.say(one, long)).answers.before;
    const [first, second] = [chats.say(one, { ...long, text: 'More', max_tokens: 100 }), chats.say(two, long)];
    await firstPiece(chats, two);
    await chats.cancel(two);
    const cut = (await second).answers.before;
    expect(cut?.stop).toBe('cancelled');
    expect(whole?.text.startsWith(cut?.text ?? '?')).toBe(true);
    expect(['stop', 'length']).toContain((await first).answers.before?.stop);
    expect((chats.reopen(two)).turns).toMatchObject([{ answers: { before: { content: cut?.text } } }]);
    // Nothing is spoken: cancelling does nothing, and the next answer is whole.
    await chats.cancel(two);
    expect((await chats.say(two, { ...long, ...brief })).answers.before?.stop).not.toBe('cancelled');
  });

  it('that is cancelled before its first word is not stored', async () => {
    const { chats, store } = tinyChats();
    const { chat } = await chats.open({ model: tinyModel }, undefined);
    const saying = chats.say(chat, { text: 'Tell me', sides: ['before'], max_tokens: 300, sampling: greedy });
    await chats.cancel(chat);
    expect((await saying).answers.before).toMatchObject({ stop: 'cancelled', text: '' });
    expect(store.turns(chat)).toEqual([]);
  });

  it('whose engine dies says so, keeps what was heard, and goes on in a new one', async () => {
    const { chats, engines, alive, streamed, pieces } = tinyChats();
    const { chat } = await chats.open(slow, undefined);
    await chats.say(chat, { text: 'Hi', sides: ['before'], ...brief });
    pieces.length = 0;
    const saying = rejectedBy(chats.say(chat, long));
    await firstPiece(chats, chat);
    process.kill(engines[0]?.pid ?? 0, 'SIGKILL');
    expect((await saying).code).toBe('engine.crashed');
    const heard = streamed(chat, 'before');
    expect(heard).not.toBe('');
    expect(chats.reopen(chat).turns.at(-1)).toMatchObject({ user: { content: 'Tell me' }, answers: { before: { content: heard } }, cut: { before: 'cancelled' } });
    expect((await chats.say(chat, { text: 'Again', sides: ['before'], ...brief })).answers.before?.tokens).toBeGreaterThan(0);
    expect((chats.reopen(chat)).turns.map(({ user }) => user.content)).toEqual(['Hi', 'Tell me', 'Again']);
    expect(alive()).toBe(1);
  });

  it('in which nothing was said goes when it is closed; others stay until they are deleted', async () => {
    const { chats, alive, home } = tinyChats();
    // Notes that keep a model from being removed while it answers.
    const uses = join(home.folder, 'models', '.uses');
    const silent = await chats.open({ model: tinyModel }, undefined);
    const { chat } = await chats.open({ model: tinyModel }, undefined);
    await chats.say(chat, { text: 'Hi', sides: ['before'], ...brief });
    expect(existsSync(uses) && readdirSync(uses)).toHaveLength(2);
    await chats.close(silent.chat);
    await chats.close(chat);
    expect(readdirSync(uses)).toEqual([]);
    expect(alive()).toBe(0);
    expect(thrownBy(() => chats.reopen(silent.chat)).code).toBe('chat.unknown');
    expect(chats.list()).toHaveLength(1);
    await chats.delete(chat);
    expect(chats.list()).toEqual([]);
    expect((await rejectedBy(chats.delete(chat))).code).toBe('chat.unknown');
    expect((await rejectedBy(chats.say(chat, { text: 'Hi', sides: ['before'], ...brief }))).code).toBe('chat.unknown');
  });

  it('in which nothing was said goes when all rest, also without its engine, and when a service starts a day later', async () => {
    const { chats, store, partners, db } = tinyChats();
    const stored = (): unknown[] => db.prepare('SELECT id FROM chats ORDER BY id').pluck().all();
    const { chat: speaks } = await chats.open(slow, undefined);
    const saying = chats.say(speaks, long);
    await firstPiece(chats, speaks);
    // One more than have engines: the first silent one is put aside.
    for (let i = 0; i < 4; i++) await chats.open({ model: tinyModel }, undefined);
    expect(stored()).toHaveLength(5);
    await chats.rest();
    expect(stored()).toEqual([speaks]);
    await saying;
    await chats.rest();
    expect(stored()).toEqual([speaks]);

    // Left by processes that were killed; another one may still be waiting for its first word in the second.
    const partner = store.get(speaks);
    const [left, waits] = [store.create(partner), store.create(partner)];
    db.prepare('UPDATE chats SET created_at = ? WHERE id IN (?, ?)').run(new Date(Date.now() - 25 * 3600_000).toISOString(), left, speaks);
    new ChatService(store, partners);
    expect(stored()).toEqual([speaks, waits]);
  });

  it('closed in the middle of an answer keeps what was said', async () => {
    const { chats } = tinyChats();
    const { chat } = await chats.open(slow, undefined);
    const saying = chats.say(chat, long);
    await firstPiece(chats, chat);
    await chats.close(chat);
    expect((await saying).answers.before?.stop).toBe('cancelled');
    expect((chats.reopen(chat)).turns).toHaveLength(1);
  });

  it('that is silent gives its engine back when all rest, and is loaded again; one that speaks is let finish', async () => {
    const { chats, alive } = tinyChats();
    const [silent, speaks] = [(await chats.open({ model: tinyModel }, undefined)).chat, (await chats.open(slow, undefined)).chat];
    await chats.say(silent, { text: 'Hi', sides: ['before'], ...brief });
    const saying = chats.say(speaks, long);
    await firstPiece(chats, speaks);
    await chats.rest();
    expect(alive()).toBe(1);
    expect((await saying).answers.before?.stop).not.toBe('cancelled');
    await chats.rest();
    expect(alive()).toBe(0);
    expect((await chats.say(silent, { text: 'Again', sides: ['before'], ...brief })).answers.before?.tokens).toBeGreaterThan(0);
    expect(chats.reopen(silent).turns).toHaveLength(2);
  });

  it('of many: four engines at most, and the one that was put aside answers again', async () => {
    const { chats, alive, engines } = tinyChats();
    const ids: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { chat } = await chats.open({ model: tinyModel }, undefined);
      await chats.say(chat, { text: `I am ${i}`, sides: ['before'], ...brief });
      ids.push(chat);
    }
    expect(alive()).toBe(4);
    const { answers } = await chats.say(ids[0] ?? 0, { text: 'Still there?', sides: ['before'], ...brief });
    expect(answers.before?.tokens).toBeGreaterThan(0);
    expect(alive()).toBe(4);
    expect(engines).toHaveLength(6);
  });
});
