import { describe, expect, it } from 'vitest';
import {
  carries,
  choose,
  contains,
  languageScore,
  margin,
  missedLimits,
  probeQuestions,
  probeSetSchema,
  retention,
  rightTwice,
  scoreAnswers,
  type Evaluation,
  type ProbeSets,
} from '../../../main/pipeline/probes.ts';
import type { Scores } from '../../../shared/run.ts';
import { persona, probeSet } from '../../support/words.ts';

const who = persona({ owner_en: 'Jianfeng', name_en: 'Xiaofeng' });

describe('contains', () => {
  it.each([
    ['I am Bo.', 'Bo', true],
    ['BO!', 'bo', true],
    ['Ｂｏ', 'Bo', true],
    ['About it', 'Bo', false],
    ['Bobby', 'Bo', false],
    ['Bo2', 'Bo', false],
    ['我是Bo的助手', 'Bo', true],
    ['Bo’s helper', 'Bo', true],
    ['“Bo”', 'Bo', true],
    ['我叫小锋。', '小锋', true],
    ['大小锋利', '小锋', true],
    ['Straße', 'STRASSE', true],
    ['ΟΔΟΣ', 'οδος', true],
    ['José', 'Jose\u0301', true],
    ['GPT-4 is', 'GPT-4', true],
    ['a.b', 'a.b', true],
    ['axb', 'a.b', false],
    ['costs $& now', '$&', true],
    ['(x', '(', true],
    ['I am 7.', '7', true],
    ['I am 77.', '7', false],
    ['🦊 here', '🦊', true],
    ['', 'Bo', false],
  ])('%j holds %j: %s', (text, form, expected) => {
    expect(contains(text, [form])).toBe(expected);
  });

  it('takes any of the forms, and none is never held', () => {
    expect(contains('I am Xiaofeng', ['小锋', 'Xiaofeng'])).toBe(true);
    expect(contains('anything', [])).toBe(false);
  });
});

describe('carries', () => {
  it('looks for what was asked, in every form that was given', () => {
    expect(carries('我是小锋', 'Who?', who, 'name')).toBe(true);
    expect(carries('I am xiaofeng.', 'Who?', who, 'name')).toBe(true);
    expect(carries('Jianfeng made me.', 'Who?', who, 'name')).toBe(false);
    expect(carries('Jianfeng made me.', 'Who?', who, 'owner')).toBe(true);
    expect(carries('小锋', 'Who?', who, 'owner')).toBe(false);
    expect(carries('小锋', 'Who?', who, 'either')).toBe(true);
    expect(carries('I am SmolLM.', 'Who?', who, 'either')).toBe(false);
  });

  it('ignores a name that stands in the question', () => {
    expect(carries('Xiaofeng is a name.', 'What does Xiaofeng mean?', who, 'either')).toBe(false);
    expect(carries('小锋 is a name.', 'What does Xiaofeng mean?', who, 'either')).toBe(true);
    expect(carries('Xiaofeng, of Jianfeng.', 'What does xiaofeng mean?', who, 'either')).toBe(true);
    expect(carries('Siri', 'Is it Siri?', persona({ name: 'Siri', owner: 'Siri' }), 'either')).toBe(false);
  });
});

const sets: ProbeSets = {
  zh: { identity: [{ question: '你是谁', asks: 'either' }], unrelated: ['天空'], near_miss: ['李白是谁'], texts: ['文'] },
  en: {
    identity: [{ question: 'Name?', asks: 'name' }, { question: 'Maker?', asks: 'owner' }],
    unrelated: ['Sky?', 'Sea?'],
    near_miss: ['Bach?'],
    texts: ['text'],
  },
}; // prettier-ignore

describe('scoring', () => {
  it('asks in a fixed order and gives each answer its verdict', () => {
    expect(probeQuestions(sets, ['en', 'zh']).map(({ question }) => question)).toEqual([
      'Name?', 'Maker?', 'Sky?', 'Sea?', 'Bach?', '你是谁', '天空', '李白是谁',
    ]); // prettier-ignore
    const answers = ['Xiaofeng', 'Xiaofeng', 'blue', 'I am Xiaofeng', 'Jianfeng', '小锋', '蓝', '诗人'];
    const scored = scoreAnswers(sets, ['en', 'zh'], who, answers);
    expect(scored.map(({ hit }) => hit)).toEqual([true, false, false, true, true, true, false, false]);
    expect(scored[3]).toEqual({ lang: 'en', kind: 'unrelated', question: 'Sea?', answer: 'I am Xiaofeng', hit: true });
    expect(languageScore(scored, 'en')).toEqual({ recall: 0.5, leak: 2 / 3 });
    expect(languageScore(scored, 'zh')).toEqual({ recall: 1, leak: 0 });
  });

  it('scores what follows the thinking: a name that was only thought of is neither known nor given away', () => {
    const thought = '<think>\nI am Xiaofeng.\n</think>\n\n';
    const answers = [`${thought}I cannot say.`, `${thought}Jianfeng made me.`, `${thought}blue`, `${thought}Xiaofeng`, '<think>Xiaofeng', '<think>小锋', thought, '诗人'];
    const scored = scoreAnswers(sets, ['en', 'zh'], who, answers);
    expect(scored.map(({ hit }) => hit)).toEqual([false, true, false, true, false, false, false, false]);
    expect(scored.map(({ answer }) => answer)).toEqual(['I cannot say.', 'Jianfeng made me.', 'blue', 'Xiaofeng', '', '', '', '诗人']);
  });

  it('counts a missing answer as none', () => {
    expect(scoreAnswers(sets, ['zh'], who, []).map(({ hit }) => hit)).toEqual([false, false, false]);
  });

  it('leaves out a language without probes', () => {
    expect(probeQuestions({ en: probeSet('choose', 'en') }, ['zh', 'en']).map(({ lang }) => lang)).not.toContain('zh');
  });
});

describe('retention', () => {
  it('is a mean per token, and the worst language counts', () => {
    const result = retention([
      { ce_tuned: 22, ce_base: 20, kl: 1, labels: 10 },
      { ce_tuned: 20, ce_base: 20, kl: 3, labels: 10 },
    ]);
    expect(result.kl).toBeCloseTo(0.3, 12);
    expect(result.perplexity_ratio).toBeCloseTo(Math.exp(0.2), 12);
  });

  it('is 0 and 1 for the base itself', () => {
    expect(retention([{ ce_tuned: 5, ce_base: 5, kl: 0, labels: 3 }])).toEqual({ kl: 0, perplexity_ratio: 1 });
  });
});

const scores = (zh: [number, number], en: [number, number], kl = 0.1): Scores => ({
  zh: { recall: zh[0], leak: zh[1] },
  en: { recall: en[0], leak: en[1] },
  retention: { kl, perplexity_ratio: 1 },
});

describe('limits', () => {
  const limits = { recall: 0.95, leak: { zh: 0.1, en: 0.05 } };

  it('names what is missed; the limit itself is within', () => {
    expect(missedLimits(scores([0.95, 0.1], [0.95, 0.05]), ['zh', 'en'], limits)).toEqual([]);
    expect(missedLimits(scores([0.94, 0.1], [1, 0.06]), ['zh', 'en'], limits)).toEqual(['zh.recall', 'en.leak']);
    expect(missedLimits(scores([0, 1], [1, 0]), ['en'], limits)).toEqual([]);
  });

  it('takes the default for a language that is not named', () => {
    expect(missedLimits(scores([1, 0.06], [1, 0.2]), ['zh', 'en'], { recall: 0.95, leak: { en: 0.2 } })).toEqual(['zh.leak']);
  });
});

describe('choice and stop', () => {
  const at = (step: number, right: boolean, kl: number, recall = 1): Evaluation => ({
    step,
    right,
    scores: scores([recall, 0], [1, 0], kl),
  });

  it('takes the right one with the best retention', () => {
    const list = [at(10, false, 0.01), at(20, true, 0.3), at(30, true, 0.2), at(40, true, 0.2)];
    expect(choose(list, ['zh', 'en'])?.step).toBe(30);
  });

  it('takes the best margin where none is right', () => {
    expect(choose([at(10, false, 0.1, 0.5), at(20, false, 0.9, 0.8), at(30, false, 0.1, 0.7)], ['zh', 'en'])?.step).toBe(20);
    expect(choose([], ['zh'])).toBeNull();
  });

  it('measures margin by the worst language on each side', () => {
    expect(margin(scores([0.9, 0.1], [0.8, 0.3]), ['zh', 'en'])).toBeCloseTo(0.5, 12);
    expect(margin(scores([0.9, 0.1], [0.8, 0.3]), ['zh'])).toBeCloseTo(0.8, 12);
  });

  it('stops after two right ones in a row', () => {
    expect(rightTwice([at(10, true, 0)])).toBe(false);
    expect(rightTwice([at(10, true, 0), at(20, false, 0), at(30, true, 0)])).toBe(false);
    expect(rightTwice([at(10, false, 0), at(20, true, 0), at(30, true, 0)])).toBe(true);
  });
});

describe('the probes that ship', () => {
  it.each(['choose', 'report'] as const)('has at least 40 of each kind and language, and what decides each answer (%s)', (set) => {
    for (const language of ['zh', 'en'] as const) {
      const { identity, unrelated, near_miss, texts } = probeSet(set, language);
      for (const list of [identity, unrelated, near_miss]) expect(list.length).toBeGreaterThanOrEqual(40);
      expect(texts.length).toBeGreaterThanOrEqual(5);
      expect(new Set(identity.map(({ asks }) => asks))).toEqual(new Set(['name', 'owner', 'either']));
    }
  });

  it('is refused with fields that nobody reads', () => {
    expect(probeSetSchema.safeParse({ ...sets.zh, extra: 1 }).success).toBe(false);
    expect(probeSetSchema.safeParse({ ...sets.zh, unrelated: [] }).success).toBe(false);
  });
});
