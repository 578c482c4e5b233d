// Conversations with a run's assistant, as a screen shows them. The other side of the api is the test.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { ChatSession } from '../../../renderer/state/chat-session.svelte.ts';
import type { ChatSummary, OpenedChat, RequestName, Spoken } from '../../../shared/api.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { FakeTransport, settle, type Asked } from '../fake-transport.ts';

const summary = (chat: number, run = 'r'): ChatSummary => ({ chat, model: 'm', run, step: null, created_at: '', used_at: '', first: `first of ${chat}` });
const stored = (chat: number, change: Partial<OpenedChat> = {}): OpenedChat => ({
  chat, model: 'm', run: 'r', step: null, system: null, sides: ['before', 'after'], turns: [], speaking: null, ...change,
});
const message = (role: 'user' | 'assistant', content: string) => ({ role, content });
const turn = (question: string, after: string) => ({ user: message('user', question), answers: { after: message('assistant', after) }, cut: {} });
const answer = (text: string, stop: 'stop' | 'length' | 'cancelled' = 'stop') => ({ text, tokens: 5, prompt_tokens: 9, stop });
const spoken = (before: string, after: string, stop: 'stop' | 'length' | 'cancelled' = 'stop'): Spoken => ({
  answers: { before: answer(before, stop), after: answer(after, stop) }, dropped_turns: 0, tokens_per_second: 20,
});

class Place {
  readonly transport = new FakeTransport();
  readonly api = new Api(this.transport);
  readonly session: ChatSession;

  constructor(system: string | null = null) {
    this.transport.connect('open');
    this.session = new ChatSession(this.api, 'r', system);
    onTestFinished(() => this.session.close());
  }

  /** The oldest request of this name that waits; fails the test where there is none. */
  asked(name: RequestName): Asked {
    const found = this.transport.asked.find((asked) => asked.name === name);
    if (found === undefined) throw new Error(`${name} was not asked; ${this.transport.asked.map((asked) => asked.name).join()}`);
    return found;
  }

  async answer(name: RequestName, result: unknown): Promise<void> {
    this.asked(name).answer(result);
    await settle();
  }

  /** With these conversations; the first one is shown. */
  async with(...chats: OpenedChat[]): Promise<this> {
    await this.answer('chats.list', chats.map(({ chat }) => summary(chat)));
    if (chats[0] !== undefined) await this.answer('chats.reopen', chats[0]);
    return this;
  }

  /** Asks the first question of a new conversation, as far as both sides begin to answer. */
  async asking(question: string, chat = 7): Promise<void> {
    this.session.question = question;
    void this.session.ask();
    if (this.transport.asked.some(({ name }) => name === 'chats.open')) await this.answer('chats.open', stored(chat));
  }

  /** Names of what waits. */
  get waiting(): RequestName[] {
    return this.transport.asked.map(({ name }) => name);
  }
}

describe('a new conversation', () => {
  it('opens with its first question, streams both sides at once and ends with the reply', async () => {
    const place = await new Place('be brief').with();
    const { session, transport } = place;
    expect(session).toMatchObject({ ready: true, turns: [], shown: null, system: 'be brief', step: null });
    session.question = '  Who are you?  ';
    void session.ask();
    expect(session).toMatchObject({ question: '', speaking: true, opening: true, turns: [{ user: 'Who are you?', answers: {} }] });
    expect(place.asked('chats.open').input).toEqual({ target: { run: 'r', step: null } });
    await place.answer('chats.open', stored(7, { system: 'be brief' }));
    expect(session).toMatchObject({ opening: false, shown: 7 });
    expect(place.asked('chats.say').input).toEqual({
      chat: 7, text: 'Who are you?', sides: ['before', 'after'], again: false, max_tokens: 256, sampling: { temperature: 0, seed: 1 },
    });
    transport.tell({ event: 'text', chat: 7, side: 'before', at: 0, text: 'I am ' }, { event: 'text', chat: 7, side: 'after', at: 0, text: 'I am Bo' });
    transport.tell({ event: 'text', chat: 7, side: 'before', at: 5, text: 'a model' }, { event: 'text', chat: 8, side: 'before', at: 0, text: 'else' });
    expect(session.turns).toEqual([{ user: 'Who are you?', answers: { before: 'I am a model', after: 'I am Bo' }, cut: {} }]);
    // Told while this window waits: the reply says more.
    transport.tell({ event: 'chat', chat: 7 });
    expect(place.waiting).toEqual(['chats.say', 'chats.list']);
    await place.answer('chats.say', { ...spoken('I am a model.', 'I am Bo.', 'length'), dropped_turns: 2 });
    expect(session).toMatchObject({ speaking: false, dropped: 2, speed: { tokens: 10, tokens_per_second: 20 } });
    expect(session.turns).toEqual([
      { user: 'Who are you?', answers: { before: 'I am a model.', after: 'I am Bo.' }, cut: { before: 'length', after: 'length' }, tokens: { before: 5, after: 5 } },
    ]);
    await place.answer('chats.list', [summary(7), summary(9, 'another run')]);
    expect(session.list).toEqual([summary(7)]);
  });

  it('asks nothing where nothing is asked, and one thing at a time', async () => {
    const place = await new Place().with();
    place.session.question = ' \n';
    void place.session.ask();
    expect(place.waiting).toEqual([]);
    await place.asking('one');
    place.session.question = 'two';
    void place.session.ask();
    expect(place.waiting).toEqual(['chats.say']);
    expect(place.session.question).toBe('two');
  });

  it('whose model cannot be loaded gives the question back and says why', async () => {
    const place = await new Place().with();
    place.session.question = 'Hi';
    void place.session.ask();
    place.asked('chats.open').refuse(new NamesakeError('memory.insufficient', 'x'));
    await settle();
    expect(place.session).toMatchObject({ question: 'Hi', turns: [], speaking: false, opening: false, shown: null, failure: { code: 'memory.insufficient' } });
    void place.session.ask();
    expect(place.session.failure).toBeNull();
  });

  it('that is ended before its first word gives the question back', async () => {
    const place = await new Place().with();
    await place.asking('Hi');
    void place.session.stop();
    expect(place.asked('chats.cancel').input).toEqual({ chat: 7 });
    await place.answer('chats.say', spoken('', '', 'cancelled'));
    expect(place.session).toMatchObject({ question: 'Hi', turns: [], speaking: false });
    await place.asking('And?');
    await place.answer('chats.say', spoken('half', 'ha', 'cancelled'));
    expect(place.session.turns).toMatchObject([{ answers: { after: 'ha' }, cut: { after: 'cancelled' } }]);
  });
});

describe('a stored conversation', () => {
  it('is shown again, the one used last, and another one where it is chosen', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('q', 'a')], step: 20, system: 's' }), stored(2));
    expect(place.session).toMatchObject({ shown: 3, step: 20, system: 's', turns: [{ user: 'q', answers: { after: 'a' } }] });
    void place.session.show(2);
    expect(place.waiting).toEqual(['chats.close', 'chats.reopen']);
    await place.answer('chats.reopen', stored(2, { turns: [turn('other', 'b')] }));
    expect(place.session).toMatchObject({ shown: 2, turns: [{ user: 'other' }] });
  });

  it('goes on in the middle of an answer that a reload left, and ends when the program says so', async () => {
    const place = await new Place().with(stored(3, { speaking: { ...turn('q', 'half'), again: false } }));
    expect(place.session).toMatchObject({ speaking: true, turns: [{ user: 'q', answers: { after: 'half' } }] });
    place.transport.tell({ event: 'text', chat: 3, side: 'after', at: 4, text: ' way' });
    expect(place.session.turns[0]?.answers.after).toBe('half way');
    place.transport.tell({ event: 'chat', chat: 3 });
    await place.answer('chats.reopen', stored(3, { turns: [turn('q', 'half way.')] }));
    expect(place.session).toMatchObject({ speaking: false, turns: [{ answers: { after: 'half way.' } }] });
  });

  it('is read again where a piece is missing', async () => {
    const place = await new Place().with();
    await place.asking('Hi');
    place.transport.tell({ event: 'text', chat: 7, side: 'after', at: 9, text: 'later' });
    await place.answer('chats.reopen', stored(7, { speaking: { ...turn('Hi', 'and much later'), again: false } }));
    expect(place.session.turns).toMatchObject([{ answers: { after: 'and much later' } }]);
    place.transport.tell({ event: 'text', chat: 7, side: 'after', at: 14, text: '.' });
    await place.answer('chats.say', spoken('x', 'and much later.'));
    expect(place.session).toMatchObject({ speaking: false, turns: [{ answers: { after: 'and much later.' } }] });
  });

  it('that another window asks shows its answer too; one that it deletes is gone here', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('q', 'a')] }));
    place.transport.tell({ event: 'chat', chat: 3 });
    await place.answer('chats.reopen', stored(3, { turns: [turn('q', 'a')], speaking: { ...turn('more', ''), again: false } }));
    expect(place.session).toMatchObject({ speaking: true, turns: [{ user: 'q' }, { user: 'more' }] });
    place.transport.tell({ event: 'chat', chat: 3 });
    place.asked('chats.reopen').refuse(new NamesakeError('chat.unknown', 'chat 3'));
    await settle();
    expect(place.session).toMatchObject({ shown: null, turns: [], failure: null });
    expect(place.waiting).not.toContain('chats.close');
  });

  it('that is deleted here makes room for a new one', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('q', 'a')] }));
    const removing = place.session.remove(3);
    expect(place.session.shown).toBeNull();
    await place.answer('chats.delete', null);
    await place.answer('chats.list', []);
    await removing;
    expect(place.session.list).toEqual([]);
  });
});

describe('asking again', () => {
  it('puts the answer in the place of the last one, from the same seed', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('one', 'a'), turn('two', 'b')] }));
    void place.session.again({ otherwise: false });
    expect(place.session.turns).toMatchObject([{ user: 'one' }, { user: 'two', answers: {} }]);
    expect(place.asked('chats.say').input).toMatchObject({ chat: 3, text: 'two', again: true, sampling: { temperature: 0, seed: 1 } });
    await place.answer('chats.say', spoken('x', 'c'));
    expect(place.session.turns).toMatchObject([{ user: 'one' }, { user: 'two', answers: { after: 'c' } }]);
  });

  it('otherwise: from a new seed, with some chance in it, this once', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('one', 'a')] }));
    void place.session.again({ otherwise: true });
    const { seed } = (place.asked('chats.say').input as { sampling: { seed: number } }).sampling;
    expect(place.asked('chats.say').input).toMatchObject({ again: true, max_tokens: 256, sampling: { temperature: 0.7, seed } });
    expect(seed).toBeGreaterThan(0);
    expect(place.session.asking).toEqual({ temperature: 0, seed: 1, max_tokens: 256 });
    await place.answer('chats.say', spoken('x', 'c'));
    void place.session.again({ otherwise: false });
    expect(place.asked('chats.say').input).toMatchObject({ again: true, sampling: { temperature: 0.7, seed } });
    await place.answer('chats.say', spoken('x', 'c'));
    void place.session.ask('two');
    expect(place.asked('chats.say').input).toMatchObject({ again: false, sampling: { temperature: 0, seed: 1 } });
    await place.answer('chats.say', spoken('x', 'd'));
    void place.session.again({ otherwise: false });
    expect(place.asked('chats.say').input).toMatchObject({ again: true, sampling: { temperature: 0, seed: 1 } });
    await place.answer('chats.say', spoken('x', 'd'));
    place.session.asking = { ...place.session.asking, temperature: 1.2 };
    void place.session.again({ otherwise: true });
    expect(place.asked('chats.say').input).toMatchObject({ sampling: { temperature: 1.2 } });
  });

  it('that fails leaves the last answer where it was', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('one', 'a')] }));
    place.session.question = 'typed meanwhile';
    void place.session.again({ otherwise: false });
    place.asked('chats.say').refuse(new NamesakeError('engine.crashed', 'x'));
    await settle();
    expect(place.session).toMatchObject({ turns: [{ user: 'one', answers: { after: 'a' } }], question: 'typed meanwhile', failure: { code: 'engine.crashed' } });
  });
});

describe('another partner', () => {
  it('another system text begins a new conversation, with the last question at hand', async () => {
    const place = await new Place('own').with(stored(3, { turns: [turn('Who are you?', 'a')], system: 'own' }));
    place.session.begin({ system: null });
    expect(place.session).toMatchObject({ shown: null, turns: [], system: null, question: 'Who are you?' });
    expect(place.asked('chats.close').input).toEqual({ chat: 3 });
    void place.session.ask();
    expect(place.asked('chats.open').input).toEqual({ target: { run: 'r', step: null }, system: null });
  });

  it('another checkpoint too; a plain new conversation is with the same one and its box is empty', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('Who are you?', 'a')], step: 40 }));
    place.session.begin();
    expect(place.session).toMatchObject({ step: 40, system: null, question: '' });
    place.session.begin({ step: 20 });
    void place.session.ask('Hi');
    expect(place.asked('chats.open').input).toMatchObject({ target: { run: 'r', step: 20 } });
    // What comes of it stays with the conversation that it was asked in.
    place.session.begin({ step: null });
    await place.answer('chats.open', stored(8, { step: 20 }));
    await place.answer('chats.say', spoken('x', 'y'));
    expect(place.session).toMatchObject({ shown: null, step: null, turns: [] });
  });
});

describe('a connection that breaks', () => {
  it('gives the question back, once: not where it is being answered all the same', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('q', 'a')] }));
    await place.asking('Are you there?');
    place.transport.connect('lost');
    place.asked('chats.say').breakOff();
    await settle();
    expect(place.session).toMatchObject({ question: 'Are you there?', speaking: false, turns: [{ user: 'q' }], failure: null });
    place.transport.connect('open');
    await place.answer('chats.list', [summary(3)]);
    await place.answer('chats.reopen', stored(3, { turns: [turn('q', 'a')], speaking: { ...turn('Are you there?', 'Ye'), again: false } }));
    expect(place.session).toMatchObject({ question: '', speaking: true, turns: [{ user: 'q' }, { user: 'Are you there?', answers: { after: 'Ye' } }] });
  });

  it('leaves the question where it never arrived, and what was typed meanwhile', async () => {
    const place = await new Place().with(stored(3, { turns: [turn('q', 'a')] }));
    await place.asking('Are you there?');
    place.asked('chats.say').breakOff();
    await settle();
    place.transport.connect('lost');
    place.transport.connect('open');
    await place.answer('chats.reopen', stored(3, { turns: [turn('q', 'a')] }));
    expect(place.session.question).toBe('Are you there?');
  });

  it('before anything came is made up for when it is back', async () => {
    const place = new Place();
    place.asked('chats.list').breakOff();
    await settle();
    expect(place.session).toMatchObject({ ready: false, error: null });
    place.transport.connect('lost');
    place.transport.connect('open');
    await place.with(stored(3, { turns: [turn('q', 'a')] }));
    expect(place.session).toMatchObject({ ready: true, shown: 3 });
  });

  it('is not what an error of the list is: that one is told', async () => {
    const place = new Place();
    place.asked('chats.list').refuse(new NamesakeError('home.damaged', 'x'));
    await settle();
    expect(place.session.error?.code).toBe('home.damaged');
    void place.session.load();
    await place.with();
    await vi.waitFor(() => expect(place.session).toMatchObject({ error: null, ready: true }));
  });
});

it('a screen that is left frees the model, unless it is still answering', async () => {
  const quiet = await new Place().with(stored(3, { turns: [turn('q', 'a')] }));
  quiet.session.close();
  expect(quiet.asked('chats.close').input).toEqual({ chat: 3 });
  const busy = await new Place().with(stored(3, { speaking: { ...turn('q', 'ha'), again: false } }));
  busy.session.close();
  expect(busy.waiting).toEqual([]);
});
