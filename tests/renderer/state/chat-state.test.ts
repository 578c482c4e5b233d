// A conversation as it is spoken, put together from what was opened, text events and replies.
import { describe, expect, it } from 'vitest';
import { answered, asked, heard, opened, unanswered, type ChatState } from '../../../renderer/state/chat-state.ts';
import type { OpenedChat } from '../../../shared/api.ts';
import type { StopReason } from '../../../shared/chat.ts';

const chat: OpenedChat = { chat: 7, model: 'm', run: 'r', step: null, system: null, sides: ['before', 'after'], turns: [], speaking: null };
const answer = (text: string, stop: StopReason = 'stop') => ({ text, tokens: 1, prompt_tokens: 1, stop });
const said = (state: ChatState, after: ReturnType<typeof answer>, dropped_turns = 0) =>
  answered(state, { answers: { before: answer('I am a model.'), after }, dropped_turns, tokens_per_second: 1 });
const spoken = { user: { role: 'user' as const, content: 'q' }, answers: { after: { role: 'assistant' as const, content: 'half' } }, cut: {} };

describe('a chat', () => {
  it('grows by pieces of both sides and ends with the whole answers', () => {
    let state = asked(opened(chat), 'Who are you?');
    for (const [side, at, text] of [['before', 0, 'I am '], ['after', 0, 'I am Bo'], ['before', 5, 'a model']] as const) {
      const next = heard(state, { side, at, text });
      expect(next).not.toBeNull();
      state = next ?? state;
    }
    expect(state.turns).toEqual([{ user: 'Who are you?', answers: { before: 'I am a model', after: 'I am Bo' }, cut: {} }]);
    const done = said(state, answer('I am Bo.', 'length'), 2);
    expect(done).toMatchObject({ speaking: false, dropped: 2 });
    expect(done.turns).toEqual([{ user: 'Who are you?', answers: { before: 'I am a model.', after: 'I am Bo.' }, cut: { after: 'length' }, tokens: { before: 1, after: 1 } }]);
    // A piece that comes late says nothing new.
    expect(heard(done, { side: 'after', at: 0, text: 'x' })).toBe(done);
  });

  it('replaces what is told again and notices what is missing', () => {
    const state = heard(asked(opened(chat), 'q'), { side: 'after', at: 0, text: 'abcdef' });
    if (state === null) throw new Error('a piece is missing');
    expect(heard(state, { side: 'after', at: 3, text: 'X' })?.turns[0]?.answers.after).toBe('abcX');
    expect(heard(state, { side: 'after', at: 7, text: 'X' })).toBeNull();
  });

  it('goes on with an answer that is being spoken, and gives a question back that had none', () => {
    const state = opened({ ...chat, speaking: { ...spoken, again: false } });
    expect(state).toMatchObject({ speaking: true, turns: [{ user: 'q', answers: { after: 'half' } }] });
    expect(heard(state, { side: 'after', at: 4, text: ' way' })?.turns[0]?.answers.after).toBe('half way');
    expect(unanswered(state)).toMatchObject({ speaking: false, turns: [] });
  });

  it('puts an answer in the place of the last one, which is there again where nothing came of it', () => {
    const before = said(asked(opened(chat), 'q'), answer('first', 'cancelled'));
    const again = asked(before, 'q', true);
    expect(again.turns).toEqual([{ user: 'q', answers: {}, cut: {} }]);
    expect(said(again, answer('second')).turns).toMatchObject([{ answers: { after: 'second' }, cut: {} }]);
    expect(unanswered(again)).toEqual(before);
    const silent = answered(again, { answers: { before: answer('', 'cancelled'), after: answer('', 'cancelled') }, dropped_turns: 0, tokens_per_second: 0 });
    expect(silent).toEqual(before);
    // The same, opened by another window in the middle of it.
    const other = opened({ ...chat, turns: [{ ...spoken, answers: {}, cut: { before: 'length' } }], speaking: { ...spoken, again: true } });
    expect(other.turns).toMatchObject([{ user: 'q', answers: { after: 'half' } }]);
    expect(unanswered(other).turns).toMatchObject([{ cut: { before: 'length' } }]);
  });
});
