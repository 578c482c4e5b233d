// The score card's lines: what counts as good, against which limits, and that they agree with the run's own verdict.
import { describe, expect, test } from 'vitest';
import { missedLimits } from '../../../main/pipeline/probes.ts';
import { isGood, probesOf, scoredSteps, scoreLines } from '../../../renderer/ui/score-lines.ts';
import type { ScoredProbe, Scores } from '../../../shared/run.ts';

const scores: Scores = { zh: { recall: 23 / 24, leak: 0.05 }, en: { recall: 0.5, leak: 0.2 }, retention: { kl: 0.03, perplexity_ratio: 1.25 } };
const base: Scores = { zh: { recall: 0, leak: 0 }, retention: { kl: 0, perplexity_ratio: 1 } };
const limits = { recall: 0.95, leak: 0.05 };
const probe = (lang: 'zh' | 'en', kind: ScoredProbe['kind'], hit: boolean): ScoredProbe => ({ lang, kind, question: `${lang} ${kind} ${hit}`, answer: '', hit });
const none = { now: null, before: null };

test('an answer is good that names itself where it is asked for, and nowhere else', () => {
  expect([probe('zh', 'identity', true), probe('zh', 'unrelated', false), probe('zh', 'near_miss', false)].every(isGood)).toBe(true);
  expect([probe('zh', 'identity', false), probe('zh', 'unrelated', true), probe('zh', 'near_miss', true)].some(isGood)).toBe(false);
});

test('more is better on every line, and what the base was stands beside it', () => {
  const lines = scoreLines(scores, base, limits, none);
  expect(lines.map(({ kind, lang }) => `${lang} ${kind}`)).toEqual(['zh knows', 'zh leaves', 'en knows', 'en leaves', 'null kept']);
  expect(lines.map(({ now }) => Number(now.toFixed(3)))).toEqual([0.958, 0.95, 0.5, 0.8, 0.8]);
  expect(lines.map(({ before }) => before)).toEqual([0, 1, null, null, null]);
});

test('a model that predicts ordinary text better than before is as good as before, not better', () => {
  const lines = scoreLines({ retention: { kl: 0.1, perplexity_ratio: 0.8 } }, null, limits, none);
  expect(lines.map(({ now }) => now)).toEqual([1]);
});

describe('whether it is enough', () => {
  test.each([limits, { recall: 0.5, leak: 0.2 }, { recall: { zh: 0.99 }, leak: { en: 0.5 } }, { recall: 1, leak: 0 }])('agrees with what the run decides by (%j)', (each) => {
    const missed = scoreLines(scores, null, each, none)
      .filter(({ enough }) => enough === false)
      .map(({ kind, lang }) => `${lang}.${kind === 'knows' ? 'recall' : 'leak'}`);
    expect(missed).toEqual(missedLimits(scores, ['zh', 'en'], each));
  });

  test('is not said where the run has no limits', () => {
    expect(scoreLines(scores, null, null, none).map(({ enough }) => enough)).toEqual([null, null, null, null, null]);
  });
});

test('counts come from the questions behind a line, where they are known', () => {
  const now = [probe('zh', 'identity', true), probe('zh', 'identity', false), probe('zh', 'unrelated', false), probe('zh', 'near_miss', true), probe('en', 'identity', true)];
  const [knows, leaves] = scoreLines(scores, base, limits, { now, before: null });
  expect(knows?.asked).toEqual({ good: 1, all: 2 });
  expect(leaves?.asked).toEqual({ good: 1, all: 2 });
  expect(knows?.askedBefore).toBeNull();
  expect(probesOf(now, { kind: 'leaves', lang: 'zh' }).map(({ kind }) => kind)).toEqual(['unrelated', 'near_miss']);
});

test('only checkpoints that were asked have scores', () => {
  const steps = scoredSteps([
    { step: 0, right: false, scores: base, kept: false },
    { step: 5, right: false, scores: null, kept: true },
    { step: 10, right: true, scores, kept: true },
  ]);
  expect(steps.map(({ step }) => step)).toEqual([0, 10]);
});
