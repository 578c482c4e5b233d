// Chat session: the conversations with one run's assistant, as a screen shows them: the present one as it is spoken, and the
// list of those that were.
import type { ChatSummary, Side, Spoken } from '../../shared/api.ts';
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';
import type { Api } from '../api.ts';
import { answered, asked, heard, opened, unanswered, type ChatState, type Turn } from './chat-state.ts';

/** How the next question is asked. */
export interface Asking {
  /** 0 = always the likeliest word. */
  temperature: number;
  seed: number;
  /** The longest answer, in tokens. */
  max_tokens: number;
}

/** Whom a new conversation is with. */
export interface Partner {
  /** A checkpoint; null = the run's chosen adapter. */
  step: number | null;
  /** undefined = the run's own system text; null = the template's default. */
  system: string | null | undefined;
}

/** What the session needs of the Api. */
export type ChatSource = Pick<Api, 'request' | 'on'>;

/** What another try is asked with where the likeliest words would be the same again. */
const OTHER_TEMPERATURE = 0.7;
const MOST_SEED = 999_999;
const both: Side[] = ['before', 'after'];

function randomSeed(): number {
  return 1 + ((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % MOST_SEED);
}

export class ChatSession {
  /** What the person types; what could not be answered comes back here. */
  question = $state('');
  asking = $state.raw<Asking>({ temperature: 0, seed: 1, max_tokens: 256 });

  readonly #api: ChatSource;
  readonly #run: string;
  readonly #own: string | null;
  readonly #unsubscribe: (() => void)[];
  #list = $state.raw<readonly ChatSummary[] | null>(null);
  /** null: nothing was said yet in this conversation. */
  #chat = $state.raw<ChatState | null>(null);
  #next = $state.raw<Partner>({ step: null, system: undefined });
  #ready = $state(false);
  #opening = $state(false);
  #error = $state.raw<NamesakeError | null>(null);
  #failure = $state.raw<NamesakeError | null>(null);
  #speed = $state.raw<{ tokens: number; tokens_per_second: number } | null>(null);
  /** The chat whose answer this window waits for. */
  #waiting: number | null = null;
  /** A question whose answer was lost with the connection: it may be answered all the same. */
  #lost: { text: string; turns: number } | null = null;
  /** How the last question was asked otherwise, in place of what was chosen. */
  #once: { instead: Asking; asking: Asking } | null = null;
  #shown = 0;
  #closed = false;

  /** The conversations with run `run`; `system` is the run's own system text. Shows the one that was used last, if any. */
  constructor(api: ChatSource, run: string, system: string | null) {
    this.#api = api;
    this.#run = run;
    this.#own = system;
    this.#unsubscribe = [
      api.on('text', (piece) => {
        if (piece.chat !== this.#chat?.chat) return;
        const next = heard(this.#chat, piece);
        if (next === null) void this.#reload();
        else this.#chat = next;
      }),
      api.on('chat', ({ chat }) => {
        void this.#readList();
        // An answer that this window waits for ends with its reply.
        if (chat === this.#chat?.chat && chat !== this.#waiting) void this.#reload();
      }),
      api.on('lost', () => {
        if (!this.#ready) return void this.load();
        void this.#readList();
        void this.#reload();
      }),
    ];
    void this.load();
  }

  /** Conversations with this run, the one used last first; null before the list came. */
  get list(): readonly ChatSummary[] | null {
    return this.#list;
  }

  /** Whether it is known what is shown: the last conversation, or a new one. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Why the conversations cannot be had. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** Why the last question was not answered. */
  get failure(): NamesakeError | null {
    return this.#failure;
  }

  /** The stored conversation that is shown; null for a new one. */
  get shown(): number | null {
    return this.#chat?.chat ?? null;
  }

  get turns(): readonly Turn[] {
    return this.#chat?.turns ?? [];
  }

  get speaking(): boolean {
    return this.#chat?.speaking ?? false;
  }

  /** The model is being loaded for the first question. */
  get opening(): boolean {
    return this.#opening;
  }

  /** Turns at the beginning that the model no longer sees. */
  get dropped(): number {
    return this.#chat?.dropped ?? 0;
  }

  /** The checkpoint that is talked to; null = the run's chosen adapter. */
  get step(): number | null {
    return this.#chat === null ? this.#next.step : this.#chat.step;
  }

  /** The system text in use; null = the template's default. */
  get system(): string | null {
    if (this.#chat !== null) return this.#chat.system;
    return this.#next.system === undefined ? this.#own : this.#next.system;
  }

  /** How the last answer went; null before there was one here. */
  get speed(): { tokens: number; tokens_per_second: number } | null {
    return this.#speed;
  }

  /** Reads the list and shows the conversation that was used last. */
  async load(): Promise<void> {
    this.#error = null;
    await this.#readList();
    const last = this.#list?.[0];
    if (last !== undefined && this.#chat === null) await this.show(last.chat);
    this.#ready = this.#list !== null;
  }

  /**
   * Asks both sides at once, from the same seed. `again` puts the answer in the place of the last one; `asking` is how it is
   * asked this once.
   */
  async ask(text = this.question, again = false, asking = this.asking): Promise<void> {
    const question = text.trim();
    if (question === '' || this.speaking || this.#closed) return;
    const { temperature, seed, max_tokens } = asking;
    this.#failure = null;
    this.#lost = null;
    if (!again) [this.question, this.#once] = ['', null];
    const shown = this.#shown;
    const before = this.#chat ?? { chat: null, ...this.#next, system: this.system, sides: both, turns: [], speaking: false, replaced: null, dropped: 0 };
    this.#chat = asked(before, question, again);
    try {
      const chat = before.chat ?? (await this.#open());
      this.#waiting = chat;
      const spoken = await this.#api.request('chats.say', { chat, text: question, sides: [...before.sides], again, max_tokens, sampling: { temperature, seed } });
      if (this.#shown === shown) this.#end(spoken, again ? null : question);
    } catch (cause) {
      if (this.#shown === shown) this.#fail(toNamesakeError(cause), question, before.turns.length, again);
    } finally {
      this.#waiting = null;
    }
  }

  /**
   * Says the last question again: from the same seed, or `otherwise` from a new one, with some chance in it. That is for this
   * one try: the next question is asked as it was chosen.
   */
  again({ otherwise }: { otherwise: boolean }): Promise<void> {
    const last = this.turns.at(-1);
    if (last === undefined) return Promise.resolve();
    const { asking } = this;
    if (otherwise) this.#once = { instead: asking, asking: { ...asking, seed: randomSeed(), temperature: asking.temperature === 0 ? OTHER_TEMPERATURE : asking.temperature } };
    // The same way is the way of the answer that is shown, unless another one was chosen since.
    return this.ask(last.user, true, this.#once?.instead === asking ? this.#once.asking : asking);
  }

  /** Ends the answer that is being spoken; what was said stays. */
  async stop(): Promise<void> {
    const chat = this.#chat?.chat;
    if (chat === null || chat === undefined) return;
    try {
      await this.#api.request('chats.cancel', { chat });
    } catch (cause) {
      this.#failure = toNamesakeError(cause);
    }
  }

  /** Shows a stored conversation. */
  async show(chat: number): Promise<void> {
    this.#leave();
    const shown = this.#shown;
    try {
      const found = opened(await this.#api.request('chats.reopen', { chat }));
      if (this.#shown === shown) this.#chat = found;
    } catch (cause) {
      const error = toNamesakeError(cause);
      if (this.#shown === shown && error.code !== 'door.lost') this.#failure = error;
    }
  }

  /**
   * Begins a new conversation, with another checkpoint or system text where they are given. The last question stands in the
   * box, to be asked of the new partner.
   */
  begin(partner: Partial<Partner> = {}): void {
    const last = this.turns.at(-1)?.user ?? '';
    const next: Partner = { step: this.step, system: this.system, ...partner };
    const other = next.step !== this.step || next.system !== this.system;
    this.#leave();
    this.#next = next;
    if (other && this.question.trim() === '') this.question = last;
  }

  /** Deletes a stored conversation; another one is shown where it was the present one. Throws why it cannot be deleted. */
  async remove(chat: number): Promise<void> {
    if (chat === this.shown) this.#leave({ keepOpen: true });
    await this.#api.request('chats.delete', { chat });
    await this.#readList();
  }

  /** Hears no more, and frees the model unless it is still answering: an answer goes on without its window. */
  close(): void {
    this.#leave();
    this.#closed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Nothing is shown any more of the present conversation. */
  #leave({ keepOpen = false } = {}): void {
    const left = this.#chat;
    this.#shown += 1;
    this.#chat = null;
    this.#failure = null;
    this.#lost = null;
    this.#once = null;
    this.#opening = false;
    if (left === null || left.chat === null || left.speaking || keepOpen) return;
    // Nothing hangs on it: the program ends what was silent for longest by itself.
    this.#api.request('chats.close', { chat: left.chat }).catch(() => undefined);
  }

  async #open(): Promise<number> {
    const shown = this.#shown;
    const { step, system } = this.#next;
    this.#opening = true;
    try {
      const { chat, sides, system: used } = await this.#api.request('chats.open', { target: { run: this.#run, step }, ...(system === undefined ? {} : { system }) });
      if (this.#shown === shown && this.#chat !== null) this.#chat = { ...this.#chat, chat, sides, system: used };
      return chat;
    } finally {
      this.#opening = false;
    }
  }

  #end(spoken: Spoken, question: string | null): void {
    if (this.#chat === null) return;
    const turns = this.#chat.turns.length;
    this.#chat = answered(this.#chat, spoken);
    // Ended before its first word.
    if (this.#chat.turns.length < turns && question !== null) this.#giveBack(question);
    const tokens = Object.values(spoken.answers).reduce((sum, answer) => sum + answer.tokens, 0);
    if (tokens > 0) this.#speed = { tokens, tokens_per_second: spoken.tokens_per_second };
  }

  #fail(error: NamesakeError, question: string, turns: number, again: boolean): void {
    if (this.#chat !== null) this.#chat = unanswered(this.#chat);
    // A conversation that was never opened is none.
    if (this.#chat?.chat === null) this.#chat = null;
    if (!again) this.#giveBack(question);
    if (error.code === 'door.lost') this.#lost = { text: question, turns };
    else {
      if (error.code !== 'cancelled') this.#failure = error;
      // Another window may be asking, and what came of this question may be stored.
      void this.#reload();
    }
  }

  #giveBack(question: string): void {
    if (this.question === '') this.question = question;
  }

  async #reload(): Promise<void> {
    const chat = this.#chat?.chat;
    if (chat === null || chat === undefined) return;
    const shown = this.#shown;
    try {
      const next = opened(await this.#api.request('chats.reopen', { chat }));
      if (this.#shown !== shown) return;
      this.#chat = { ...next, dropped: this.#chat?.dropped ?? 0 };
      // The question had arrived after all, and is answered.
      if (this.#lost !== null && next.turns.length > this.#lost.turns && this.question === this.#lost.text) this.question = '';
      this.#lost = null;
    } catch (cause) {
      // Deleted in another window: what was said is no longer kept, and a new conversation begins.
      if (this.#shown === shown && toNamesakeError(cause).code === 'chat.unknown') this.#leave({ keepOpen: true });
    }
  }

  async #readList(): Promise<void> {
    try {
      const list = await this.#api.request('chats.list', {});
      this.#list = list.filter(({ run }) => run === this.#run);
      this.#error = null;
    } catch (cause) {
      const error = toNamesakeError(cause);
      if (error.code !== 'door.lost') this.#error = error;
    }
  }
}
