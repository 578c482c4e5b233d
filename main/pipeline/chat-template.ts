// Chat template: conversations → the text that the model was taught → ids and labels. The template language is
// @huggingface/jinja. Specials that the template writes are specials; the same characters inside a message stay text.
import { Template } from '@huggingface/jinja';
import { createContext, Script } from 'node:vm';
import { NamesakeError } from '../../shared/errors.ts';
import type { Message, TokenizedRow } from '../../shared/row.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChatTemplate {
  /** The text of a conversation; `answer` adds the header of the assistant's turn to come. */
  render(messages: readonly Message[], answer: boolean): string;
  /** Ids of a conversation up to where the assistant starts to speak. */
  encodePrompt(messages: readonly Message[]): number[];
  /** Ids and labels of a whole conversation: every assistant turn's words and its end-of-turn token are learnt. */
  encodeConversation(messages: readonly Message[]): TokenizedRow;
  /** Tokens that end an answer: the template's end of turn and the file's own end of text. */
  readonly stopIds: readonly number[];
}

/** Marks text that came from a message, so that it never becomes a special. A noncharacter of Unicode. */
const MARK = '\uFDD0';
const SPLIT = '\uFDD1';
/** A template that writes more than this beside its messages, or takes longer, is hostile. */
const MAX_RENDERED = 200_000;
const MAX_RENDER_MS = 5_000;
const IGNORED = -100;

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function invalid(detail: string): NamesakeError {
  return new NamesakeError('model.template_invalid', detail);
}

/**
 * Compiles the template of a model file and proves it on a short conversation. Throws model.template_missing,
 * model.template_invalid (does not parse, fails, or rewrites earlier turns) or model.template_token_missing (its end of
 * turn is not one token).
 */
export function createChatTemplate(source: string | null, tokenizer: Tokenizer): ChatTemplate {
  if (source === null || source.trim() === '') throw new NamesakeError('model.template_missing', 'no chat template');
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  const special = tokenizer.specials.length > 0 ? tokenizer.specials.map(escapeRegExp).join('|') : '(?!)';
  const specialInText = new RegExp(special, 'g');
  const specialSplit = new RegExp(`(${special})`);
  const nameOf = (id: number | null): string => (id === null ? '' : tokenizer.piece(id));

  const escape = (content: string): string =>
    content
      .replaceAll(MARK, MARK + MARK)
      .replace(specialInText, (token) => token.slice(0, 1) + MARK + SPLIT + token.slice(1));
  const unescape = (text: string): string =>
    text.replaceAll(new RegExp(`${MARK}(${MARK}|${SPLIT})`, 'g'), (_, mark: string) => (mark === MARK ? MARK : ''));

  /** Renders inside a vm script, because only there can an endless loop be ended. */
  let context: object = {};
  let rendered = '';
  const box = createContext({
    run: () => {
      rendered = template.render({ ...context });
    },
  });
  const script = new Script('run()');
  const renderEscaped = (messages: readonly Message[], answer: boolean): string => {
    context = {
      messages: messages.map(({ role, content }) => ({ role, content: escape(content) })),
      add_generation_prompt: answer,
      bos_token: nameOf(tokenizer.bosId),
      eos_token: nameOf(tokenizer.eosId),
    };
    try {
      script.runInContext(box, { timeout: MAX_RENDER_MS });
    } catch (error) {
      throw invalid(error instanceof Error ? error.message : String(error));
    }
    const size = messages.reduce((sum, message) => sum + message.content.length, 0);
    if (rendered.length > MAX_RENDERED + 8 * size) throw invalid(`it wrote ${rendered.length} characters`);
    return rendered;
  };

  /** Ids of escaped text: specials as themselves, everything between them as plain text. */
  const encodeEscaped = (text: string): number[] =>
    text.split(specialSplit).flatMap((part, i) => {
      if (i % 2 === 0) return tokenizer.encodeText(unescape(part));
      const id = tokenizer.tokenId(part);
      return id === undefined ? [] : [id];
    });

  const start = (ids: number[]): number[] =>
    tokenizer.addBos && tokenizer.bosId !== null && ids[0] !== tokenizer.bosId ? [tokenizer.bosId, ...ids] : ids;

  const encodePrompt = (messages: readonly Message[]): number[] => start(encodeEscaped(renderEscaped(messages, true)));

  const encodeConversation = (messages: readonly Message[]): TokenizedRow => {
    const ids: number[] = [];
    const labels: number[] = [];
    const add = (part: readonly number[], learnt: boolean): void => {
      ids.push(...part);
      labels.push(...part.map((id) => (learnt ? id : IGNORED)));
    };
    let done = '';
    messages.forEach((message, i) => {
      if (message.role !== 'assistant') return;
      const header = renderEscaped(messages.slice(0, i), true);
      const whole = renderEscaped(messages.slice(0, i + 1), false);
      const words = escape(message.content);
      if (!header.startsWith(done) || !whole.startsWith(header)) throw invalid('it rewrites earlier turns of a conversation');
      const spoken = whole.slice(header.length);
      if (!spoken.startsWith(words)) throw invalid('it changes the words of the assistant');
      add(encodeEscaped(header.slice(done.length)), false);
      const learnt = message.loss !== false;
      add(encodeEscaped(words), learnt);
      const [between = '', end = '', ...after] = spoken.slice(words.length).split(specialSplit);
      add(encodeEscaped(between), false);
      const last = i === messages.length - 1;
      if (!(message.cut && last)) {
        add(encodeEscaped(end), learnt && !message.cut);
        add(encodeEscaped(after.join('')), false);
      }
      done = whole;
    });
    const tail = renderEscaped(messages, false);
    const lastRole = messages.at(-1)?.role;
    if (lastRole !== 'assistant') add(encodeEscaped(tail.slice(done.length)), false);
    const whole = start(ids);
    if (whole.length > ids.length) labels.unshift(IGNORED);
    return { ids: whole, labels, pieces: whole.map((id) => tokenizer.piece(id)) };
  };

  // Proof on a short conversation: the end of turn must be one token, or training would not teach when to stop.
  const probe: Message[] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const ending = renderEscaped(probe, false).slice(renderEscaped(probe.slice(0, 1), true).length + 1);
  const [before = '', endOfTurn] = ending.split(specialSplit);
  if (endOfTurn === undefined || before.trim() !== '') {
    throw new NamesakeError('model.template_token_missing', `the answer ends with ${JSON.stringify(ending)}`, {
      token: ending.trim().slice(0, 40),
    });
  }
  const stopIds = [...new Set([tokenizer.tokenId(endOfTurn), tokenizer.eosId])].filter((id) => typeof id === 'number');
  encodeConversation(probe);

  return {
    render: (messages, answer) => unescape(renderEscaped(messages, answer)),
    encodePrompt,
    encodeConversation,
    stopIds,
  };
}
