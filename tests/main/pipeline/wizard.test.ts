import { describe, expect, it } from 'vitest';
import { identityTopics, wizardSchema, writtenQuestionSchema } from '../../../main/pipeline/wizard.ts';
import { languages, styles } from '../../../shared/persona.ts';
import { stripped, wordsOf } from '../../support/words.ts';

const slots = (text: string): string[] => [...text.matchAll(/\{(\w*)\}/g)].map(([, name]) => name ?? '');

describe.each(languages)('the words in %s', (language) => {
  const { wizard, ordinary } = wordsOf(language);

  it('are as many as the design asks for', () => {
    expect(identityTopics.reduce((sum, topic) => sum + wizard.questions[topic].length, 0)).toBeGreaterThanOrEqual(60);
    for (const topic of identityTopics) expect(wizard.answers[topic].length, topic).toBeGreaterThanOrEqual(4);
    expect(wizard.near_misses.length).toBeGreaterThanOrEqual(60);
    expect(ordinary.length).toBeGreaterThanOrEqual(200);
    expect(wizard.negatives.vendors.length).toBeGreaterThanOrEqual(20);
  });

  it('repeat no question', () => {
    const all = [
      ...identityTopics.flatMap((topic) => wizard.questions[topic]),
      ...wizard.facts.questions,
      ...wizard.affirmatives.questions,
      ...wizard.negatives.questions,
      ...wizard.near_misses.map(({ question }) => question),
      ...wizard.personal.map(({ question }) => question),
      ...ordinary.map(({ question }) => question),
    ].map(stripped);
    expect(all.filter((text, i) => all.indexOf(text) !== i)).toEqual([]);
  });

  it('have the slots that are filled, and no others', () => {
    for (const topic of identityTopics) {
      for (const text of wizard.questions[topic]) expect(slots(text), text).toEqual([]);
      for (const text of wizard.answers[topic]) {
        expect(slots(text).length, text).toBeGreaterThan(0);
        for (const slot of slots(text)) expect(['owner', 'name']).toContain(slot);
      }
    }
    for (const text of wizard.built_on) expect(slots(text)).toEqual(['built_on']);
    for (const text of wizard.facts.answers) expect(slots(text)).toContain('fact');
    for (const text of wizard.affirmatives.questions) expect(slots(text)).toHaveLength(1);
    for (const text of [...wizard.affirmatives.answers, ...wizard.negatives.answers]) {
      expect(new Set(slots(text)), text).toEqual(new Set(['owner', 'name']));
    }
    for (const text of wizard.negatives.questions) expect(slots(text).filter((slot) => slot !== 'vendor')).toEqual([]);
    for (const style of styles) for (const list of Object.values(wizard.styles[style])) expect(list.flatMap(slots)).toEqual([]);
  });

  it('have no brace outside of a slot', () => {
    const texts = [JSON.stringify(Object.values(wizard.answers)), JSON.stringify(wizard.questions), ...wizard.negatives.answers];
    for (const text of texts) expect(text.replace(/\{\w+\}/g, '').replace(/^\{|\}$/g, '')).not.toMatch(/[{}]/);
  });
});

it('answers every Chinese ordinary question and near-miss in writing', () => {
  const { wizard, ordinary } = wordsOf('zh');
  expect([...wizard.near_misses, ...ordinary].filter(({ answer }) => answer === undefined)).toEqual([]);
});

it('refuses words with fields that nobody reads, and without what is needed', () => {
  const { wizard } = wordsOf('en');
  expect(wizardSchema.safeParse(wizard).success).toBe(true);
  expect(wizardSchema.safeParse({ ...wizard, more: [] }).success).toBe(false);
  expect(wizardSchema.safeParse({ ...wizard, built_on: [] }).success).toBe(false);
  expect(wizardSchema.safeParse({ ...wizard, answers: { ...wizard.answers, who: undefined } }).success).toBe(false);
  expect(writtenQuestionSchema.safeParse({ question: 'q', answr: 'a' }).success).toBe(false);
});
