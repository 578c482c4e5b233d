// Chat view: one question, both sides' answers as they are spoken.
import { toNamesakeError } from '../../shared/errors.ts';
import type { Api, EventOf } from '../api.ts';
import { answered, asked, heard, opened, unanswered, type ChatState, type Turn } from '../chat-state.ts';
import { h, setText, View } from '../dom.ts';
import { t } from '../words.ts';
import type { Notices } from './notices.ts';

const AGAIN_MS = 1000;

/** The elements of one turn; they stay while its answers grow. */
class TurnView extends View {
  override readonly element = h('li');
  readonly #answers = new Map<string, HTMLElement>();

  constructor(user: string, sides: ChatState['sides']) {
    super();
    const question = h('div', { class: 'said you' }, h('span', { class: 'who' }, this.text(() => t('chat.you'))), h('p', { dir: 'auto' }, user));
    const answers = sides.map((side) => {
      const text = h('p', { dir: 'auto' });
      this.#answers.set(side, text);
      return h('div', { class: `said ${side}` }, h('span', { class: 'who' }, this.text(() => t(`result.${side}`))), text);
    });
    this.element.append(question, h('div', { class: 'answers' }, ...answers));
  }

  show({ answers }: Turn, speaking: boolean): void {
    for (const [side, element] of this.#answers) {
      const text = answers[side as keyof typeof answers];
      setText(element, text ?? (speaking ? t('chat.thinking') : ''));
    }
  }
}

export class ChatView extends View {
  override readonly element: HTMLElement;
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #run: string;
  readonly #open: HTMLButtonElement;
  readonly #log = h('ol', { class: 'log', role: 'log' });
  readonly #dropped = h('p', { class: 'quiet' });
  readonly #form: HTMLFormElement;
  readonly #input = h('textarea', { id: 'chat-input', rows: 2, maxlength: 20_000, dir: 'auto', keydown: (event: KeyboardEvent) => this.#key(event) });
  readonly #send = h('button', { type: 'submit', class: 'primary' });
  readonly #stop: HTMLButtonElement;
  #turns: TurnView[] = [];
  #state: ChatState | null = null;
  /** Whether an answer is on its way to a request of this view. */
  #asking = false;
  /** What was said when the connection broke, and behind how many turns: it may never have arrived. */
  #unsure: { text: string; turns: number } | null = null;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unsubscribe: (() => void)[];

  /** A chat about what run `run` became, opened when the person wants it. */
  constructor(api: Api, notices: Notices, run: string) {
    super();
    this.#api = api;
    this.#notices = notices;
    this.#run = run;
    this.#open = h('button', { type: 'button', class: 'primary', click: () => void this.#begin() }, this.text(() => t('chat.open')));
    this.#stop = h('button', { type: 'button', click: () => void this.#cancel() }, this.text(() => t('chat.stop')));
    this.#send.append(this.text(() => t('chat.send')));
    this.#form = h('form', { class: 'say', submit: (event: SubmitEvent) => void this.#say(event) },
      h('label', { for: 'chat-input', class: 'hidden' }, this.text(() => t('chat.input'))),
      this.#input,
      this.#send,
      this.#stop,
    );
    this.element = h('section', { class: 'chat', 'aria-labelledby': 'chat-title' },
      h('h3', { id: 'chat-title' }, this.text(() => t('chat.title'))),
      this.#open, this.#dropped, this.#log, this.#form,
    );
    this.live(() => this.#draw());
    this.#unsubscribe = [api.on('text', (event) => this.#hear(event)), api.on('lost', () => void this.#reopen())];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    // A chat that is left takes memory until others need its place.
    if (this.#state !== null) this.#api.request('chats.close', { chat: this.#state.chat }).catch(() => undefined);
  }

  async #begin(): Promise<void> {
    this.#open.disabled = true;
    try {
      const chat = await this.#api.request('chats.open', { target: { run: this.#run } });
      if (this.#closed) return void this.#api.request('chats.close', { chat: chat.chat }).catch(() => undefined);
      this.#show(opened(chat));
      this.#input.focus();
    } catch (error) {
      this.#notices.fail(error);
    } finally {
      this.#open.disabled = false;
    }
  }

  /** Reads the conversation anew where something of it may have been missed, until the answer is whole. */
  async #reopen(): Promise<void> {
    clearTimeout(this.#timer);
    const chat = this.#state?.chat;
    if (chat === undefined || this.#closed) return;
    try {
      const state = opened(await this.#api.request('chats.reopen', { chat }));
      const unsure = this.#unsure;
      this.#unsure = null;
      if (unsure !== null && state.turns.length <= unsure.turns && this.#input.value === '') this.#input.value = unsure.text;
      this.#show(state);
      // Its end is told to whoever asked: to the connection that broke.
      if (this.#state?.speaking === true && !this.#asking) this.#timer = setTimeout(() => void this.#reopen(), AGAIN_MS);
    } catch (error) {
      this.#notices.failQuietly(error);
      if (toNamesakeError(error).code !== 'chat.unknown') return;
      this.#unsure = null;
      this.#show(null);
    }
  }

  #hear(event: EventOf<'text'>): void {
    if (this.#state === null || event.chat !== this.#state.chat) return;
    const state = heard(this.#state, event);
    if (state === null) void this.#reopen();
    else this.#show(state);
  }

  async #say(event: Event): Promise<void> {
    event.preventDefault();
    const text = this.#input.value.trim();
    if (this.#state === null || this.#state.speaking || text === '') return;
    const { chat, sides, turns } = this.#state;
    this.#input.value = '';
    this.#show(asked(this.#state, text));
    this.#asking = true;
    try {
      const spoken = await this.#api.request('chats.say', { chat, text, sides: [...sides] });
      if (this.#state !== null) this.#show(answered(this.#state, spoken));
    } catch (error) {
      this.#notices.failQuietly(error);
      // Where the connection broke, the answer may go on: the chat is read again when it is back.
      if (toNamesakeError(error).code === 'door.lost') this.#unsure = { text, turns: turns.length };
      if (this.#unsure !== null || this.#state === null) return;
      this.#show(unanswered(this.#state));
      this.#input.value = text;
    } finally {
      this.#asking = false;
    }
  }

  async #cancel(): Promise<void> {
    if (this.#state === null) return;
    await this.#api.request('chats.cancel', { chat: this.#state.chat }).catch((error: unknown) => this.#notices.fail(error));
  }

  /** Enter sends; with Shift it breaks the line, and an input method's own Enter only ends its word. */
  #key(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #show(state: ChatState | null): void {
    if (this.#closed) return;
    this.#state = state;
    this.#draw();
  }

  #draw(): void {
    const state = this.#state;
    const turns = state?.turns ?? [];
    this.#open.hidden = state !== null;
    this.#form.hidden = state === null;
    this.#send.hidden = state?.speaking === true;
    this.#stop.hidden = state?.speaking !== true;
    this.#dropped.hidden = (state?.dropped ?? 0) === 0;
    setText(this.#dropped, state === null || state.dropped === 0 ? '' : t('chat.left_out', { turns: state.dropped }));
    this.#input.placeholder = t('chat.placeholder');
    for (const extra of this.#turns.splice(turns.length)) extra.element.remove();
    turns.forEach((turn, i) => {
      let view = this.#turns[i];
      if (view === undefined) {
        view = new TurnView(turn.user, state?.sides ?? []);
        this.#turns.push(view);
        this.#log.append(view.element);
        view.element.scrollIntoView({ block: 'nearest' });
      }
      view.update();
      view.show(turn, state?.speaking === true && i === turns.length - 1);
    });
  }
}
