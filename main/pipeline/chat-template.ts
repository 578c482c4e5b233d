// Chat template: conversations → the text that the model was taught → ids and labels. Specials that the template writes
// are specials; the same characters inside a message stay text.
import { NamesakeError } from '../../shared/errors.ts';
import type { Message, TokenizedRow } from '../../shared/row.ts';
import { createEscape } from './escape.ts';
import { pythonStrip } from './python-strip.ts';
import { compileTemplate, type TemplateValues } from './template-sandbox.ts';
import type { TextPlace, Tokenizer } from './tokenizer.ts';

export interface ChatTemplate {
  /** The text of a conversation; `answer` adds the header of the assistant's turn to come. */
  render(messages: readonly Message[], answer: boolean): string;
  /** Ids of a conversation up to where the assistant starts to speak. */
  encodePrompt(messages: readonly Message[]): number[];
  /** Ids and labels of a whole conversation: every assistant turn's words and its end-of-turn token are learnt. */
  encodeConversation(messages: readonly Message[]): TokenizedRow;
  /**
   * Gives what `work` gives; all that it renders has one limit of time: of many, a limit each would be most of the time. Work that
   * takes longer is begun again, so it must change nothing else.
   */
  together<T>(work: () => T): T;
  /** Tokens that end an answer: the template's end of turn and the file's own end of text. */
  readonly stopIds: readonly number[];
}

const IGNORED = -100;
/** Stands where an assistant speaks, to find the place. A noncharacter that no escape uses. */
const PLACE = '\uFDEF';
/** Ends what a model thinks before it answers. */
const THOUGHT = '</think>';
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

/** Words as templates write them: as they are, or stripped. */
function writings(words: string): string[] {
  const sides = ['both', 'left', 'right'] as const;
  return [words, ...sides.map((side) => pythonStrip(words, side)), ...sides.map((side) => pythonStrip(words, side, '\n'))];
}

/** A conversation in the (escaped) text of the template, parted at the assistant's turns. */
interface Parted {
  turns: {
    message: Message;
    /** Everything since the turn before. */
    header: string;
    words: string;
  }[];
  /** What stands behind the last words. */
  rest: string;
}

/**
 * Compiles the template of a model file and proves it on a short conversation. Throws model.template_missing,
 * model.template_invalid (does not parse, fails, never ends, or rewrites earlier turns) or model.template_token_missing
 * (its end of turn, or another of its specials, is not one token).
 */
export function createChatTemplate(source: string | null, tokenizer: Tokenizer): ChatTemplate {
  if (source === null || source.trim() === '') throw new NamesakeError('model.template_missing', 'no chat template');
  const template = guarded(() => compileTemplate(source));
  const { escape, unescape, split } = createEscape([...tokenizer.specials, PLACE]);
  const nameOf = (id: number | null): string => (id === null ? '' : tokenizer.piece(id));

  /** Thinking is off wherever a template lets it be: what an assistant thought is no part of its words. */
  const thinks = source.includes('enable_thinking');
  const wordsOf = (content: string): string => {
    const thought = thinks ? content.lastIndexOf(THOUGHT) : -1;
    return thought < 0 ? content : pythonStrip(content.slice(thought + THOUGHT.length), 'left', '\n');
  };
  const escaped = ({ role, content }: Message): TemplateValues['messages'][number] => ({
    role,
    content: escape(role === 'assistant' ? wordsOf(content) : content),
  });
  const renderContents = (messages: TemplateValues['messages'], answer: boolean): string =>
    guarded(() =>
      template.render({
        messages,
        add_generation_prompt: answer,
        bos_token: nameOf(tokenizer.bosId),
        eos_token: nameOf(tokenizer.eosId),
        enable_thinking: false,
      }),
    );
  const renderEscaped = (messages: readonly Message[], answer: boolean): string =>
    renderContents(messages.map(escaped), answer);

  /** Ids of escaped text that stands at `place`: specials as themselves, everything between them as plain text. */
  const encodeEscaped = (text: string, place: TextPlace): number[] =>
    split(text).flatMap((part, i) => {
      if (i % 2 === 0) return tokenizer.encodeText(unescape(part), i === 0 ? place : 'section');
      const id = tokenizer.tokenId(part);
      return id === undefined ? [] : [id];
    });

  const start = (ids: number[]): number[] =>
    tokenizer.addBos && tokenizer.bosId !== null && ids[0] !== tokenizer.bosId ? [tokenizer.bosId, ...ids] : ids;

  const encodePrompt = (messages: readonly Message[]): number[] => start(encodeEscaped(renderEscaped(messages, true), 'start'));

  /** Finds the assistant's turns by a rendering in which it says PLACE every time. */
  const part = (messages: readonly Message[]): Parted => {
    const whole = renderEscaped(messages, false);
    const spoken = messages.filter(({ role }) => role === 'assistant');
    const silent = messages.map((message) => (message.role === 'assistant' ? { role: message.role, content: PLACE } : escaped(message)));
    const [first = '', ...behind] = renderContents(silent, false).split(PLACE);
    if (behind.length !== spoken.length) throw invalid('it rewrites earlier turns of a conversation');
    if (!whole.startsWith(first)) throw invalid('it writes the same turn in more than one way');
    let at = first.length;
    const turns = spoken.map((message, i) => {
      const rest = whole.slice(at);
      const [header = '', next = ''] = [i === 0 ? first : behind[i - 1], behind[i]];
      const isWritten = (words: string): boolean =>
        rest.startsWith(words) && rest.startsWith(next, words.length) && (i < spoken.length - 1 || rest.length === words.length + next.length);
      const words = writings(escape(wordsOf(message.content))).find(isWritten);
      if (words === undefined) throw invalid('it changes the words of the assistant');
      at += words.length + next.length;
      return { message, header, words };
    });
    return { turns, rest: behind.at(-1) ?? first };
  };

  /** What a turn's end is made of: blanks, the token, and what follows. */
  const endOf = (behind: string): { between: string; end: string; after: string } => {
    const [between = '', end = '', ...after] = split(behind);
    if (between.trim() !== '' || end === '') throw tokenMissing((between.trim() || JSON.stringify(between)).slice(0, 40));
    return { between, end, after: after.join('') };
  };

  // Proof on a short conversation: an answer is trained as it is asked for, and its end is one token, or training would
  // not teach when to stop.
  const proof: Message[] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const proven = part(proof);
  const asked = renderEscaped(proof.slice(0, 1), true);
  const opening = proven.turns[0]?.header ?? '';
  if (!opening.startsWith(asked)) throw invalid('it opens an answer otherwise than it asks for one');
  /** Blanks that the template leaves to the model to write before its words. */
  const lead = opening.slice(asked.length);
  if (lead.trim() !== '') throw invalid('it opens an answer otherwise than it asks for one');
  const { end: endOfTurn } = endOf(proven.rest);
  const missing = split(opening + proven.rest)
    .filter((_, i) => i % 2 === 0)
    .map((text) => LIKE_SPECIAL.exec(text)?.[0])
    .find((found) => found !== undefined);
  if (missing !== undefined) throw tokenMissing(missing);
  const stopIds = [...new Set([tokenizer.tokenId(endOfTurn), ...tokenizer.stopIds])].filter((id) => typeof id === 'number');

  const encodeConversation = (messages: readonly Message[]): TokenizedRow => {
    const { turns, rest } = part(messages);
    if (messages.at(-1)?.role === 'assistant' && messages.slice(0, -1).some(({ role }) => role !== 'system')) {
      const prompt = renderEscaped(messages.slice(0, -1), true);
      const before = turns.map(({ header, words }, i) => header + (i < turns.length - 1 ? words : '')).join('');
      if (before !== prompt + lead) throw invalid('it opens an answer otherwise than it asks for one');
    }
    const ids: number[] = [];
    const labels: number[] = [];
    let place: TextPlace = 'start';
    const add = (text: string, learnt: boolean): void => {
      if (text === '') return;
      // One by one: as arguments of one call, a few hundred thousand would be too many.
      for (const id of encodeEscaped(text, place)) {
        ids.push(id);
        labels.push(learnt ? id : IGNORED);
      }
      place = split(text).at(-1) === '' ? 'section' : 'inside';
    };
    /** What stands behind a turn (or before the first): its end, and what follows. */
    const addBehind = (text: string, turn: Message | undefined): void => {
      if (turn === undefined) return add(text, false);
      const { between, end, after } = endOf(text);
      add(between, false);
      add(end, turn.loss !== false && turn.cut !== true);
      add(after, false);
    };
    turns.forEach(({ message, header, words }, i) => {
      const led = header.endsWith(lead) ? lead : '';
      addBehind(header.slice(0, header.length - led.length), turns[i - 1]?.message);
      add(led + words, message.loss !== false);
    });
    const last = messages.at(-1);
    if (last?.role !== 'assistant' || last.cut !== true) addBehind(rest, turns.at(-1)?.message);
    const whole = start(ids);
    if (whole.length > ids.length) labels.unshift(IGNORED);
    return { ids: whole, labels, pieces: whole.map((id) => tokenizer.piece(id)) };
  };

  return {
    render: (messages, answer) => unescape(renderEscaped(messages, answer)),
    encodePrompt,
    encodeConversation,
    together: (work) => template.together(work),
    stopIds,
  };
}
