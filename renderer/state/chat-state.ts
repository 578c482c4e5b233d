// Chat state: a conversation with both sides as it is spoken, put together from what was opened, text events and replies.
import type { ApiEvent, OpenedChat, Side, Spoken } from '../../shared/api.ts';

export interface Turn {
  user: string;
  answers: Partial<Record<Side, string>>;
}

type Piece = Pick<Extract<ApiEvent, { event: 'text' }>, 'side' | 'at' | 'text'>;

export interface ChatState {
  chat: number;
  sides: readonly Side[];
  turns: readonly Turn[];
  /** Whether the last turn's answers are still being spoken. */
  speaking: boolean;
  /** Turns at the beginning that the model no longer sees. */
  dropped: number;
}

function turnOf({ user, answers }: OpenedChat['turns'][number]): Turn {
  return { user: user.content, answers: { ...(answers.before && { before: answers.before.content }), ...(answers.after && { after: answers.after.content }) } };
}

/** A chat as the core opened it. */
export function opened({ chat, sides, turns, speaking }: OpenedChat): ChatState {
  const all = speaking === null ? turns : [...turns, speaking];
  return { chat, sides, turns: all.map(turnOf), speaking: speaking !== null, dropped: 0 };
}

/** The person said something; both sides begin to answer. */
export function asked(state: ChatState, user: string): ChatState {
  return { ...state, turns: [...state.turns, { user, answers: {} }], speaking: true };
}

/** A piece of an answer: what stands from its place on is replaced. null where text before it is missing. */
export function heard(state: ChatState, { side, at, text }: Piece): ChatState | null {
  const last = state.turns.at(-1);
  if (last === undefined || !state.speaking) return state;
  const known = last.answers[side] ?? '';
  if (known.length < at) return null;
  return withAnswers(state, { [side]: known.slice(0, at) + text });
}

/** Both sides are done. */
export function answered(state: ChatState, { answers, dropped_turns }: Spoken): ChatState {
  const texts = Object.fromEntries(Object.entries(answers).map(([side, answer]) => [side, answer.text]));
  return { ...withAnswers(state, texts), speaking: false, dropped: dropped_turns };
}

/** There was no answer: the question goes back to the person. */
export function unanswered(state: ChatState): ChatState {
  return { ...state, turns: state.turns.slice(0, -1), speaking: false };
}

function withAnswers(state: ChatState, answers: Turn['answers']): ChatState {
  const last = state.turns.at(-1);
  if (last === undefined) return state;
  return { ...state, turns: [...state.turns.slice(0, -1), { ...last, answers: { ...last.answers, ...answers } }] };
}
