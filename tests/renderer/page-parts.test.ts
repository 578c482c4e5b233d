// What the page computes: points of the loss line, a chat's state, and the few facts that it keeps of shared schemas.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { answered, asked, heard, opened, unanswered } from '../../renderer/chat-state.ts';
import { languages, styles } from '../../renderer/languages.ts';
import { statusLooks } from '../../renderer/run-status.ts';
import { linePoints } from '../../renderer/views/loss-line.ts';
import { duration, explainStored, speak, bytes, percent } from '../../renderer/words.ts';
import type { OpenedChat, StoredMetric } from '../../shared/api.ts';
import { languages as allLanguages, styles as allStyles } from '../../shared/persona.ts';
import { activeStatuses, resumableStatuses, runStatuses } from '../../shared/run.ts';

beforeAll(() => vi.stubGlobal('document', { documentElement: { lang: '' } }));
afterAll(() => vi.unstubAllGlobals());

describe('facts of shared schemas', () => {
  it('are the same here', () => {
    expect(Object.keys(statusLooks).sort()).toEqual([...runStatuses].sort());
    for (const status of runStatuses) {
      expect(statusLooks[status].active).toBe(activeStatuses.includes(status));
      expect(statusLooks[status].resumable).toBe(resumableStatuses.includes(status));
    }
    expect(languages).toEqual([...allLanguages]);
    expect(styles).toEqual([...allStyles]);
  });
});

describe('linePoints', () => {
  const metrics = (count: number): StoredMetric[] =>
    Array.from({ length: count }, (_, i) => ({ step: i + 1, loss: 4 - i / count, grad_norm: 1, lr: 1, tokens: 1, tokens_per_second: 1 }));

  it('runs from the first step to the last, from nothing to the largest loss', () => {
    const points = linePoints([{ ...metrics(1)[0], loss: 2 }, { ...metrics(1)[0], step: 3, loss: 0 }] as StoredMetric[], 3);
    expect(points).toBe('6.0,6.0 594.0,134.0');
  });

  it('draws no more points than can be seen, with the last one always among them', () => {
    const points = linePoints(metrics(10_001), 10_001).split(' ');
    expect(points.length).toBeLessThanOrEqual(602);
    expect(points.at(-1)).toMatch(/^594\.0,/);
    expect(linePoints([], 10)).toBe('');
  });
});

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

describe('words', () => {
  it('says times, sizes and shares in both languages', () => {
    speak('en');
    expect([45.4, 200, 7500].map(duration)).toEqual(['45 s', '3 min 20 s', '2 h 5 min']);
    speak('zh');
    expect(duration(200)).toBe('3 分 20 秒');
    expect([bytes(98_400_000), bytes(1.23e9), percent(1), percent(0), percent(0.975)]).toEqual(['98 MB', '1.2 GB', '100 %', '0 %', '97.5 %']);
  });

  it('says a stored error whose wording needs values that are not stored', () => {
    speak('en');
    expect(explainStored('disk.full', 'D')).toMatch(/disk is full.*D/);
    expect(explainStored('rows.too_long', 'row 3 has 900 tokens')).toBe('Failed: row 3 has 900 tokens');
  });
});
