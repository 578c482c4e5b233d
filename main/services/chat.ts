// Chat service: conversations with a model and what was made of it, stored turn by turn. Each open one has an engine host of
// its own, so that nothing that happens in one touches another, or a training run.
import type { ChatSummary, ChatTurn, OpenedChat, Side, Spoken } from '../../shared/api.ts';
import type { Answer, Sampling } from '../../shared/chat.ts';
import type { AnswerRequest, EngineClient, GenerateTimes } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Message } from '../../shared/row.ts';
import { answerOf } from '../../shared/thinking.ts';
import type { ChatPartner, ChatStore, ChatTurn as StoredTurn, SaidAnswer } from '../store/chats.ts';
import { sidesOf, type ChatPartners, type ChatTarget, type OpenPartner } from './chat-partner.ts';
import { isOfCard } from './placement.ts';
import { systemMessages } from './rows.ts';

/** Engine hosts that are kept open; the one that was silent for longest goes first. */
const MOST_OPEN = 4;
/** How long another process of this home may wait for the first word in a chat; one without a word that is older was left by a crash. */
const FIRST_WORD_MS = 24 * 60 * 60_000;

/** A piece of an answer that is being spoken, and its place in it (UTF-16 units). */
export interface ChatPiece {
  chat: number;
  side: Side;
  at: number;
  text: string;
}

export interface Utterance {
  text: string;
  sides: readonly Side[];
  /** Takes the last turn back and puts this one in its place. */
  again?: boolean;
  max_tokens: number;
  sampling: Sampling;
}

/** What came of an utterance, and how long it took. */
export interface Said extends Spoken {
  times: GenerateTimes;
}

/** An answer under way. */
interface Speaking {
  question: string;
  again: boolean;
  texts: Partial<Record<Side, string>>;
  cancelled: boolean;
  done: Promise<unknown>;
}

interface OpenChat {
  partner: ChatPartner;
  opening: Promise<OpenPartner>;
  /** Set once `opening` came true. */
  engine: EngineClient | null;
  used: number;
}

const unsaid: Answer = { text: '', tokens: 0, prompt_tokens: 0, stop: 'cancelled' };
const noTimes: GenerateTimes = { prompt_tokens: 0, tokens: 0, prefill_seconds: 0, decode_seconds: 0 };

function asMessage(role: Message['role'], content: string): Message {
  return { role, content };
}

function toTurn({ question, before, after, before_cut, after_cut }: StoredTurn): ChatTurn {
  return {
    user: asMessage('user', question),
    answers: toMessages({ before, after }),
    cut: { ...(before_cut !== null && { before: before_cut }), ...(after_cut !== null && { after: after_cut }) },
  };
}

function toMessages(texts: Partial<Record<Side, string | null>>): Partial<Record<Side, Message>> {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([side, text]) => (typeof text === 'string' ? [[side, asMessage('assistant', text)]] : [])),
  );
}

export class ChatService {
  readonly #chats: ChatStore;
  readonly #partners: ChatPartners;
  readonly #listeners = new Set<(piece: ChatPiece) => void>();
  readonly #onChange = new Set<(chat: number) => void>();
  readonly #open = new Map<number, OpenChat>();
  readonly #speaking = new Map<number, Speaking>();
  /** Chats that were opened here and in which nothing was said yet. */
  readonly #silent = new Set<number>();

  /** Removes chats without a word that a crash left behind. */
  constructor(chats: ChatStore, partners: ChatPartners) {
    this.#chats = chats;
    this.#partners = partners;
    try {
      chats.deleteEmptyBefore(new Date(Date.now() - FIRST_WORD_MS));
    } catch {
      // On a full disk: nobody is shown them, and they can wait for the next start.
    }
  }

  /** Hears every piece of every answer as it is spoken; returns the un-listener. */
  onText(listener: (piece: ChatPiece) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears of every chat in which an answer begins or ends, or that is deleted; returns the un-listener. */
  onChange(listener: (chat: number) => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  /**
   * A new conversation. `system` undefined = the run's own, or the template's default. Throws run.unknown, run.no_checkpoint,
   * chat.busy where too many answers are under way elsewhere, and what finding and loading a model throws.
   */
  async open(target: ChatTarget, system: string | null | undefined): Promise<OpenedChat> {
    const partner = this.#partners.find(target, system);
    await this.#makeRoom();
    const opened = await this.#partners.open(partner);
    const chat = this.#chats.create(partner);
    this.#silent.add(chat);
    this.#open.set(chat, { partner, opening: Promise.resolve(opened), engine: opened.engine, used: performance.now() });
    return this.#describe(chat, partner);
  }

  /** A stored conversation, to go on with: its model is loaded when something is said in it. Throws chat.unknown. */
  reopen(chat: number): OpenedChat {
    return this.#describe(chat, this.#chats.get(chat));
  }

  /**
   * Says something and streams what each side answers, at once and with the same seed. Turns at the beginning that no longer
   * fit the model's context are left out, the system text never. What was said is stored, also where it was cut short. Throws
   * chat.unknown, chat.busy, context.overflow, request.invalid for a side that the chat does not have.
   */
  async say(chat: number, utterance: Utterance): Promise<Said> {
    if (this.#speaking.has(chat)) throw new NamesakeError('chat.busy', `chat ${chat} answers`);
    const sides = [...new Set(utterance.sides)];
    const speaking: Speaking = {
      question: utterance.text,
      again: utterance.again ?? false,
      texts: Object.fromEntries(sides.map((side) => [side, ''])),
      cancelled: false,
      done: Promise.resolve(),
    };
    this.#speaking.set(chat, speaking);
    this.#changed(chat);
    const said = this.#say(chat, utterance, sides, speaking);
    speaking.done = said.catch(() => undefined);
    try {
      return await said;
    } catch (error) {
      // A host that is gone, or has lost its card, is started anew the next time.
      if (isOfCard(error) || (error instanceof NamesakeError && error.code === 'engine.crashed')) await this.#end(chat);
      throw error;
    }
  }

  async #say(chat: number, { text, again = false, max_tokens, sampling }: Utterance, sides: readonly Side[], speaking: Speaking): Promise<Said> {
    let unlisten = (): void => undefined;
    try {
      const { partner, engine, context } = await this.#engineOf(chat);
      const missing = sides.find((side) => !sidesOf(partner).includes(side));
      if (missing !== undefined) throw new NamesakeError('request.invalid', `chat ${chat} has no side "${missing}"`);
      const turns = this.#chats.turns(chat).slice(0, again ? -1 : undefined);
      const conversations = (from: number): Message[][] => sides.map((side) => conversationOf(partner.system, turns.slice(from), side, text));
      const from = await firstThatFits(turns.length, async (first) =>
        (await engine.promptLengths(conversations(first))).every((length) => length + max_tokens <= context),
      );
      const dropped_turns = turns.slice(0, from).filter((turn) => sides.some((side) => turn[side] !== null)).length;
      if (speaking.cancelled) {
        return { answers: Object.fromEntries(sides.map((side) => [side, unsaid])), dropped_turns, tokens_per_second: 0, times: noTimes };
      }
      const job = `chat-${chat}`;
      unlisten = engine.onText((told, index, piece) => {
        const side = sides[index];
        if (told === job && side !== undefined) this.#tell(chat, speaking, side, piece);
      });
      const { answers, times } = await engine.generate(
        job,
        conversations(from).map((messages, i): AnswerRequest => ({ messages, max_tokens, sampling, adapter: sides[i] === 'after' })),
        'in-conversation',
      );
      const bySide = Object.fromEntries(sides.map((side, i) => [side, answers[i] ?? unsaid])) as Partial<Record<Side, Answer>>;
      this.#keep(chat, text, bySide, again);
      return { answers: bySide, dropped_turns, tokens_per_second: times.tokens / Math.max(times.decode_seconds, 1e-9), times };
    } catch (error) {
      // What a person has read is kept, however it ended.
      if (error instanceof NamesakeError && error.code === 'engine.crashed') this.#keep(chat, text, spokenSoFar(speaking), again);
      throw error;
    } finally {
      unlisten();
      this.#speaking.delete(chat);
      this.#changed(chat);
    }
  }

  #changed(chat: number): void {
    for (const listener of [...this.#onChange]) listener(chat);
  }

  #tell(chat: number, speaking: Speaking, side: Side, text: string): void {
    const before = speaking.texts[side] ?? '';
    speaking.texts[side] = before + text;
    for (const listener of [...this.#listeners]) listener({ chat, side, at: before.length, text });
  }

  /** Stores a turn, unless it was ended before a word. */
  #keep(chat: number, question: string, answers: Partial<Record<Side, SaidAnswer>>, again: boolean): void {
    const said = Object.entries(answers).filter(([, { text }]) => text !== '');
    if (said.length === 0 && Object.values(answers).some(({ stop }) => stop === 'cancelled')) return;
    this.#chats.addTurn(chat, question, Object.fromEntries(said), again);
    this.#silent.delete(chat);
  }

  /** Ends the answer that is being spoken, if any: `say` returns what there is. */
  async cancel(chat: number): Promise<void> {
    const speaking = this.#speaking.get(chat);
    if (speaking === undefined) return;
    speaking.cancelled = true;
    await this.#open.get(chat)?.engine?.cancel();
  }

  /** Ends what is being spoken and frees the engine. The conversation stays stored, unless nothing was said in it. */
  async close(chat: number): Promise<void> {
    await this.#end(chat);
    this.#forgetIfEmpty(chat);
  }

  #forgetIfEmpty(chat: number): void {
    this.#chats.deleteIfEmpty(chat);
    this.#silent.delete(chat);
  }

  /**
   * For when nobody looks: frees the engines of all conversations in which no answer is under way; each is loaded again when
   * something is said in it. Those in which nothing was said at all go.
   */
  async rest(): Promise<void> {
    await Promise.all([...this.#open.keys()].filter((chat) => !this.#speaking.has(chat)).map((chat) => this.#end(chat)));
    for (const chat of this.#silent) if (!this.#speaking.has(chat)) this.#forgetIfEmpty(chat);
  }

  /** Ends the engines of a run's conversations: what is said next is said with the adapter that it has then. */
  async renew(run: string): Promise<void> {
    await Promise.all([...this.#open].flatMap(([chat, { partner }]) => (partner.run === run ? [this.#end(chat)] : [])));
  }

  /** Closes every conversation. */
  async closeAll(): Promise<void> {
    await Promise.all([...new Set([...this.#open.keys(), ...this.#silent])].map((chat) => this.close(chat)));
  }

  /** Conversations in which something was said or is being answered, the one used last first. */
  list(): ChatSummary[] {
    return this.#chats.list(new Map([...this.#speaking].map(([chat, { question }]) => [chat, question])));
  }

  /** Throws chat.unknown. */
  async delete(chat: number): Promise<void> {
    this.#chats.get(chat);
    await this.#end(chat);
    this.#chats.delete(chat);
    this.#silent.delete(chat);
    this.#changed(chat);
  }

  #describe(chat: number, partner: ChatPartner): OpenedChat {
    const { model, run, step, system } = partner;
    const speaking = this.#speaking.get(chat);
    return {
      chat,
      model,
      run,
      step,
      system,
      sides: sidesOf(partner),
      turns: this.#chats.turns(chat).map(toTurn),
      speaking: speaking === undefined ? null : { user: asMessage('user', speaking.question), answers: toMessages(speaking.texts), cut: {}, again: speaking.again },
    };
  }

  /** The chat's engine, started where it is not open. */
  async #engineOf(chat: number): Promise<OpenPartner & { partner: ChatPartner }> {
    let open = this.#open.get(chat);
    if (open === undefined) {
      const partner = this.#chats.get(chat);
      const opening = this.#makeRoom().then(() => this.#partners.open(partner));
      open = { partner, opening, engine: null, used: performance.now() };
      this.#open.set(chat, open);
    }
    try {
      const opened = await open.opening;
      open.engine = opened.engine;
      open.used = performance.now();
      return { ...opened, partner: open.partner };
    } catch (error) {
      if (this.#open.get(chat) === open) this.#open.delete(chat);
      throw error;
    }
  }

  async #end(chat: number): Promise<void> {
    const open = this.#open.get(chat);
    await this.cancel(chat);
    await this.#speaking.get(chat)?.done;
    if (open === undefined) return;
    this.#open.delete(chat);
    const opened = await open.opening.catch(() => null);
    await opened?.close();
  }

  /** Frees the engine of the conversation that was silent for longest. Throws chat.busy where all of them speak. */
  async #makeRoom(): Promise<void> {
    if (this.#open.size < MOST_OPEN) return;
    const [idle] = [...this.#open].filter(([chat]) => !this.#speaking.has(chat)).sort(([, a], [, b]) => a.used - b.used);
    if (idle === undefined) throw new NamesakeError('chat.busy', `${MOST_OPEN} conversations answer`);
    await this.#end(idle[0]);
  }
}

/** What was heard of an answer that was never finished. */
function spokenSoFar({ texts }: Speaking): Partial<Record<Side, SaidAnswer>> {
  return Object.fromEntries(Object.entries(texts).map(([side, text]) => [side, { text, stop: 'cancelled' }]));
}

/** What a side remembers: the system text, the turns that it answered (not what it thought), and what is said now. */
function conversationOf(system: string | null, turns: readonly StoredTurn[], side: Side, text: string): Message[] {
  const before = turns.flatMap(({ question, [side]: answer }) =>
    answer === null ? [] : [asMessage('user', question), asMessage('assistant', answerOf(answer))],
  );
  return [...systemMessages(system), ...before, asMessage('user', text)];
}

/** The smallest number of left-out turns that fits, or all of them: the fewer are left in, the less is needed. */
async function firstThatFits(turns: number, fits: (from: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, turns];
  while (low < high) {
    const middle = low === 0 && high === turns ? 0 : Math.floor((low + high) / 2);
    if (await fits(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}
