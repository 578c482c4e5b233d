// Which answers stand beside each other, and of which questions.
import { expect, test } from 'vitest';
import { stripQuestions, stripSteps } from '../../../../renderer/screens/train/answer-strip.ts';
import type { ScoredProbe } from '../../../../shared/run.ts';

test('few checks are all shown; of many the base, the chosen one, the last and some between', () => {
  expect(stripSteps([0, 10, 20], null)).toEqual([0, 10, 20]);
  const many = Array.from({ length: 30 }, (_, i) => 10 * i);
  const shown = stripSteps(many, 120);
  expect(shown).toHaveLength(6);
  expect(shown).toEqual(expect.arrayContaining([0, 120, 290]));
  expect(shown).toEqual([...shown].sort((a, b) => a - b));
  // One that was chosen before the run went on and is no longer among the checks.
  expect(stripSteps(many, 123)).toHaveLength(6);
  for (let length = 1; length < 40; length++) expect(stripSteps(many.slice(0, length), 10).length).toBe(Math.min(6, length, 30));
});

test('questions are the first about itself, in each language', () => {
  const probe = (lang: 'zh' | 'en', kind: ScoredProbe['kind'], question: string): ScoredProbe => ({ lang, kind, question, answer: '', hit: false });
  const probes = [probe('zh', 'identity', '1'), probe('zh', 'identity', '2'), probe('zh', 'identity', '3'), probe('zh', 'unrelated', '4'), probe('en', 'near_miss', '5'), probe('en', 'identity', '6')];
  expect(stripQuestions(probes).map(({ question }) => question)).toEqual(['1', '2', '6']);
});
