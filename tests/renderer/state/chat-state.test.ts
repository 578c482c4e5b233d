// A conversation as it is spoken, put together from what was opened, text events and replies.
import { describe, expect, it } from 'vitest';
import { answered, asked, heard, opened, unanswered } from '../../../renderer/state/chat-state.ts';
import type { OpenedChat } from '../../../shared/api.ts';

describe('a chat', () => {
  const chat: OpenedChat = { chat: 7, model: 'm', run: 'r', system: null, sides: ['before', 'after'], turns: [], speaking: null };
  const answer = (text: string) => ({ text, tokens: 1, prompt_tokens: 1, stop: 'stop' as const });

  it('grows by pieces of both sides and ends with the whole answers', () => {
    let state = asked(opened(chat), 'Who are you?');
    for (const [side, at, text] of [['before', 0, 'I am '], ['after', 0, 'I am Bo'], ['before', 5, 'a model']] as const) {
      const next = heard(state, { side, at, text });
      expect(next).not.toBeNull();
      state = next ?? state;
    }
    expect(state.turns).toEqual([{ user: 'Who are you?', answers: { before: 'I am a model', after: 'I am Bo' } }]);
    const done = answered(state, { answers: { before: answer('I am a model.'), after: answer('I am Bo.') }, dropped_turns: 2, tokens_per_second: 1 });
    expect(done).toMatchObject({ speaking: false, dropped: 2, turns: [{ answers: { before: 'I am a model.', after: 'I am Bo.' } }] });
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
    const speaking = { user: { role: 'user' as const, content: 'q' }, answers: { after: { role: 'assistant' as const, content: 'half' } } };
    const state = opened({ ...chat, speaking });
    expect(state).toMatchObject({ speaking: true, turns: [{ user: 'q', answers: { after: 'half' } }] });
    expect(heard(state, { side: 'after', at: 4, text: ' way' })?.turns[0]?.answers.after).toBe('half way');
    expect(unanswered(state)).toMatchObject({ speaking: false, turns: [] });
  });
});
