// Chat state: a conversation with both sides as it is spoken, put together from what was opened, text events and replies.
import type { ApiEvent, ChatTurn, OpenedChat, Side, Spoken } from '../../shared/api.ts';

export interface Turn {
  user: string;
  answers: Partial<Record<Side, string>>;
  /** Sides whose answer ended before the model was done, and why. */
  cut: ChatTurn['cut'];
  /** How long the answers were, where this window heard them end. */
  tokens?: Partial<Record<Side, number>>;
}

type Piece = Pick<Extract<ApiEvent, { event: 'text' }>, 'side' | 'at' | 'text'>;

export interface ChatState {
  /** null: not opened yet. */
  chat: number | null;
  /** The checkpoint that answers as "after"; null = the run's chosen adapter. */
  step: number | null;
  /** null = the template's default. */
  system: string | null;
  sides: readonly Side[];
  turns: readonly Turn[];
  /** Whether the last turn's answers are still being spoken. */
  speaking: boolean;
  /** The turn in whose place the last one is being spoken. */
  replaced: Turn | null;
  /** Turns at the beginning that the model no longer sees. */
  dropped: number;
}

function turnOf({ user, answers, cut }: ChatTurn): Turn {
  return { user: user.content, answers: { ...(answers.before && { before: answers.before.content }), ...(answers.after && { after: answers.after.content }) }, cut };
}

/** A chat as the core opened it. */
export function opened({ chat, step, system, sides, turns, speaking }: OpenedChat): ChatState {
  const stored = { chat, step, system, sides, turns: turns.map(turnOf), speaking: false, replaced: null, dropped: 0 };
  if (speaking === null) return stored;
  const begun = asked(stored, speaking.user.content, speaking.again);
  return { ...begun, turns: [...begun.turns.slice(0, -1), turnOf(speaking)] };
}

/** The person said something; both sides begin to answer. `again` puts it in the place of the last turn. */
export function asked(state: ChatState, user: string, again = false): ChatState {
  const kept = again ? state.turns.slice(0, -1) : state.turns;
  return { ...state, turns: [...kept, { user, answers: {}, cut: {} }], speaking: true, replaced: again ? (state.turns.at(-1) ?? null) : null };
}

/** A piece of an answer: what stands from its place on is replaced. null where text before it is missing. */
export function heard(state: ChatState, { side, at, text }: Piece): ChatState | null {
  const last = state.turns.at(-1);
  if (last === undefined || !state.speaking) return state;
  const known = last.answers[side] ?? '';
  if (known.length < at) return null;
  return withLast(state, { ...last, answers: { ...last.answers, [side]: known.slice(0, at) + text } });
}

/** Both sides are done; one that was ended before its first word was not said at all. */
export function answered(state: ChatState, { answers, dropped_turns }: Spoken): ChatState {
  const last = state.turns.at(-1);
  if (last === undefined) return state;
  const said = Object.entries(answers);
  if (said.every(([, { text }]) => text === '') && said.some(([, { stop }]) => stop === 'cancelled')) return unanswered(state);
  const texts = Object.fromEntries(said.map(([side, { text }]) => [side, text]));
  const cut = Object.fromEntries(said.flatMap(([side, { stop }]) => (stop === 'stop' ? [] : [[side, stop]])));
  const tokens = Object.fromEntries(said.map(([side, answer]) => [side, answer.tokens]));
  return { ...withLast(state, { ...last, answers: { ...last.answers, ...texts }, cut, tokens }), speaking: false, replaced: null, dropped: dropped_turns };
}

/** There was no answer: the question goes back to the person, and what it took the place of is there again. */
export function unanswered(state: ChatState): ChatState {
  const turns = state.turns.slice(0, -1);
  return { ...state, turns: state.replaced === null ? turns : [...turns, state.replaced], speaking: false, replaced: null };
}

function withLast(state: ChatState, last: Turn): ChatState {
  return { ...state, turns: [...state.turns.slice(0, -1), last] };
}
