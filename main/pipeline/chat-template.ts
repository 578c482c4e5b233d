// Chat template: conversations → the text that the model was taught → ids and labels. Specials that the template writes
// are specials; the same characters inside a message stay text.
import { NamesakeError } from '../../shared/errors.ts';
import type { Message, TokenizedRow } from '../../shared/row.ts';
import { createEscape } from './escape.ts';
import { compileTemplate, type TemplateValues } from './template-sandbox.ts';
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

const IGNORED = -100;
/** Stands where an assistant speaks, to find the place. A noncharacter that no escape uses. */
const PLACE = '\uFDEF';
/** What looks like a special. */
const LIKE_SPECIAL = /<\|[^<>|\s]{1,40}\|>/;

function invalid(detail: string): NamesakeError {
  return new NamesakeError('model.template_invalid', detail);
}

function tokenMissing(token: string): NamesakeError {
  return new NamesakeError('model.template_token_missing', `${JSON.stringify(token)} is not a special token`, { token });
}

/** Runs the template's code; what it throws becomes model.template_invalid. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

/** Words as templates write them: as they are, or trimmed. */
function writings(words: string): string[] {
  return [words, words.trim(), words.trimEnd(), words.trimStart(), words.replace(/^\n+|\n+$/g, '')];
}

/** One turn of the assistant in the (escaped) text of the template. */
interface Turn {
  /** Everything before its words. */
  header: string;
  words: string;
  /** Blanks between the words and the end of turn. */
  between: string;
  end: string;
  after: string;
}

/**
 * Compiles the template of a model file and proves it on a short conversation. Throws model.template_missing,
 * model.template_invalid (does not parse, fails, never ends, or rewrites earlier turns) or model.template_token_missing
 * (its end of turn, or another of its specials, is not one token).
 */
export function createChatTemplate(source: string | null, tokenizer: Tokenizer): ChatTemplate {
  if (source === null || source.trim() === '') throw new NamesakeError('model.template_missing', 'no chat template');
  const template = guarded(() => compileTemplate(source));
  const { escape, unescape, split } = createEscape(tokenizer.specials);
  const nameOf = (id: number | null): string => (id === null ? '' : tokenizer.piece(id));

  const renderContents = (messages: TemplateValues['messages'], answer: boolean): string =>
    guarded(() =>
      template({
        messages,
        add_generation_prompt: answer,
        bos_token: nameOf(tokenizer.bosId),
        eos_token: nameOf(tokenizer.eosId),
      }),
    );
  const escaped = ({ role, content }: Message): TemplateValues['messages'][number] => ({ role, content: escape(content) });
  const renderEscaped = (messages: readonly Message[], answer: boolean): string =>
    renderContents(messages.map(escaped), answer);

  /** Ids of escaped text: specials as themselves, everything between them as plain text. */
  const encodeEscaped = (text: string): number[] =>
    split(text).flatMap((part, i) => {
      if (i % 2 === 0) return tokenizer.encodeText(unescape(part));
      const id = tokenizer.tokenId(part);
      return id === undefined ? [] : [id];
    });

  const start = (ids: number[]): number[] =>
    tokenizer.addBos && tokenizer.bosId !== null && ids[0] !== tokenizer.bosId ? [tokenizer.bosId, ...ids] : ids;

  const encodePrompt = (messages: readonly Message[]): number[] => start(encodeEscaped(renderEscaped(messages, true)));

  /** The header as it is asked for at inference, or (where nobody spoke before) as the template writes it. */
  const headerOf = (messages: readonly Message[], i: number, whole: string): string => {
    const before = messages.slice(0, i);
    if (before.some(({ role }) => role !== 'system')) {
      const asked = renderEscaped(before, true);
      if (whole.startsWith(asked)) return asked;
    }
    const placed = renderContents([...before.map(escaped), { role: 'assistant', content: PLACE }], false);
    const header = placed.slice(0, Math.max(0, placed.lastIndexOf(PLACE)));
    if (header === '' || !whole.startsWith(header)) throw invalid('it writes the same turn in more than one way');
    return header;
  };

  /** Takes the turn of message `i` apart; `whole` is the text up to its end. */
  const turnOf = (messages: readonly Message[], i: number, whole: string): Turn => {
    const header = headerOf(messages, i, whole);
    const [spoken = '', end = '', ...after] = split(whole.slice(header.length));
    const written = writings(escape(messages[i]?.content ?? '')).filter((words) => spoken.startsWith(words));
    const [first] = written;
    if (first === undefined) throw invalid('it changes the words of the assistant');
    const words = written.find((found) => spoken.slice(found.length).trim() === '');
    if (words === undefined || end === '') {
      const rest = spoken.slice(first.length);
      throw tokenMissing((rest.trim() || JSON.stringify(rest)).slice(0, 40));
    }
    return { header, words, between: spoken.slice(words.length), end, after: after.join('') };
  };

  const encodeConversation = (messages: readonly Message[]): TokenizedRow => {
    const ids: number[] = [];
    const labels: number[] = [];
    const add = (text: string, learnt: boolean): void => {
      const part = encodeEscaped(text);
      ids.push(...part);
      labels.push(...part.map((id) => (learnt ? id : IGNORED)));
    };
    let done = '';
    messages.forEach((message, i) => {
      if (message.role !== 'assistant') return;
      const whole = renderEscaped(messages.slice(0, i + 1), false);
      const { header, words, between, end, after } = turnOf(messages, i, whole);
      if (!header.startsWith(done)) throw invalid('it rewrites earlier turns of a conversation');
      const learnt = message.loss !== false;
      const cut = message.cut === true;
      add(header.slice(done.length), false);
      add(words, learnt);
      if (!cut || i < messages.length - 1) {
        add(between, false);
        add(end, learnt && !cut);
        add(after, false);
      }
      done = whole;
    });
    if (messages.at(-1)?.role !== 'assistant') {
      const whole = renderEscaped(messages, false);
      if (!whole.startsWith(done)) throw invalid('it rewrites earlier turns of a conversation');
      add(whole.slice(done.length), false);
    }
    const whole = start(ids);
    if (whole.length > ids.length) labels.unshift(IGNORED);
    return { ids: whole, labels, pieces: whole.map((id) => tokenizer.piece(id)) };
  };

  // Proof on a short conversation: an answer is trained as it is asked for, and its end is one token, or training would
  // not teach when to stop.
  const proof: Message[] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const whole = renderEscaped(proof, false);
  if (!whole.startsWith(renderEscaped(proof.slice(0, 1), true))) throw invalid('it opens an answer otherwise than it asks for one');
  const { end } = turnOf(proof, 1, whole);
  const missing = split(whole)
    .filter((_, i) => i % 2 === 0)
    .map((text) => LIKE_SPECIAL.exec(text)?.[0])
    .find((found) => found !== undefined);
  if (missing !== undefined) throw tokenMissing(missing);
  const stopIds = [...new Set([tokenizer.tokenId(end), tokenizer.eosId])].filter((id) => typeof id === 'number');

  return {
    render: (messages, answer) => unescape(renderEscaped(messages, answer)),
    encodePrompt,
    encodeConversation,
    stopIds,
  };
}
