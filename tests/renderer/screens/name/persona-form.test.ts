// The form of names: its rules are those of the shared schema, and what it makes is a persona.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { modelPurposes } from '../../../../renderer/languages.ts';
import { PersonaForm } from '../../../../renderer/screens/name/persona-form.svelte.ts';
import { isLatin, limits, wrongName, wrongSentence } from '../../../../renderer/screens/name/persona-rules.ts';
import { speak } from '../../../../renderer/state/words.svelte.ts';
import { modelPurposes as allPurposes } from '../../../../shared/model.ts';
import { personaSchema, type Language } from '../../../../shared/persona.ts';

/** The page speaks `language`; here it has no document of its own. */
function speakOnly(language: Language): void {
  vi.stubGlobal('document', { documentElement: {} });
  speak(language);
}

afterEach(() => void vi.unstubAllGlobals());
beforeEach(() => speakOnly('zh'));

function typed(change: Partial<Record<'owner' | 'name' | 'owner_en' | 'name_en' | 'built_on' | 'fact', string>> = {}): PersonaForm {
  return Object.assign(new PersonaForm(), { owner: '剑锋大佬', name: '小锋', ...change });
}

describe('rules of names and sentences', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 70 }),
    fc.string({ unit: fc.constantFrom(' ', 'a', '锋', '{', '<', '|', '\n', '\u0000', '\ue000', '\ud800', '👪', '\u00a0'), maxLength: 6 }),
    fc.integer({ min: 55, max: 65 }).map((length) => '字'.repeat(length)),
    fc.integer({ min: 195, max: 205 }).map((length) => 'x'.repeat(length)),
  );
  it('are those of the persona', () => {
    fc.assert(
      fc.property(text, (one) => {
        const asName = personaSchema.safeParse({ owner: one, name: 'B' }).success;
        const asFact = personaSchema.safeParse({ owner: 'A', name: 'B', facts: [one] }).success;
        expect([wrongName(one) === null, wrongSentence(one) === null]).toEqual([asName, asFact]);
      }),
      { numRuns: 2000 },
    );
    expect(personaSchema.safeParse({ owner: 'A', name: 'B', facts: Array(limits.facts).fill('f') }).success).toBe(true);
    expect(personaSchema.safeParse({ owner: 'A', name: 'B', facts: Array(limits.facts + 1).fill('f') }).success).toBe(false);
  });

  it('know which names an English sentence can hold', () => {
    expect(['Ann', 'Zoë O’Neil 2', '', '🐷'].map(isLatin)).toEqual([true, true, true, true]);
    expect(['小锋', 'Bob 锋', 'Иван'].map(isLatin)).toEqual([false, false, false]);
  });

  it('has every purpose of a model', () => {
    expect([...modelPurposes].sort()).toEqual([...allPurposes].sort());
  });
});

describe('PersonaForm', () => {
  it('makes a persona that the schema takes as it is, trimmed and without what is empty', () => {
    const form = typed({ owner: ' 剑锋大佬 ', name_en: 'Feng', built_on: '  ', fact: 'I like tea. ' });
    expect(form.persona).toEqual({ owner: '剑锋大佬', name: '小锋', name_en: 'Feng', languages: ['zh', 'en'], style: 'plain', facts: ['I like tea.'] });
    expect(personaSchema.parse(form.persona)).toEqual(form.persona);
  });

  it('says what is missing only after somebody wanted to go on, and what is wrong at once', () => {
    const form = new PersonaForm();
    expect([form.firstWrong, form.shownWrong('owner'), form.persona, form.empty]).toEqual(['owner', null, null, true]);
    form.tried = true;
    expect(form.shownWrong('owner')).toBe('missing');
    form.owner = 'Ann';
    form.name = 'a|b';
    expect([form.firstWrong, form.shownWrong('name')]).toEqual(['name', 'characters']);
    form.name = 'x'.repeat(61);
    expect(form.shownWrong('name')).toBe('long');
    form.name = 'Bo';
    expect([form.firstWrong, form.shownWrong('name_en')]).toEqual([null, null]);
    form.built_on = '{name}';
    expect([form.firstWrong, form.shownWrong('built_on')]).toEqual(['built_on', 'characters']);
  });

  it('needs a language, and speaks the page’s own until one is chosen', () => {
    const form = typed();
    expect(form.languages).toEqual(['zh', 'en']);
    speakOnly('en');
    expect(form.languages).toEqual(['en']);
    form.toggle('zh');
    form.toggle('en');
    expect(form.languages).toEqual(['zh']);
    form.toggle('zh');
    expect([form.firstWrong, form.persona]).toEqual(['languages', null]);
    form.toggle('en');
    form.toggle('zh');
    expect(form.persona?.languages).toEqual(['zh', 'en']);
  });

  it('asks for an English form where English would show other letters, and shows one that is there', () => {
    const form = typed({ name: 'Feng' });
    expect([form.asksEnglish('owner'), form.asksEnglish('name')]).toEqual([true, false]);
    form.toggle('en');
    expect(form.asksEnglish('owner')).toBe(false);
    form.owner_en = 'Boss';
    expect(form.asksEnglish('owner')).toBe(true);
  });

  it('takes facts one by one, each once, up to the most', () => {
    const form = typed({ fact: ' one ' });
    form.addFact();
    form.fact = 'one';
    form.addFact();
    expect([form.facts, form.fact]).toEqual([['one'], '']);
    form.fact = 'with {braces}';
    form.addFact();
    expect([form.facts, form.wrongFact, form.firstWrong]).toEqual([['one'], 'characters', 'fact']);
    for (let i = 2; i <= limits.facts + 1; i++) {
      form.fact = `fact ${i}`;
      form.addFact();
    }
    expect([form.facts.length, form.factsFull, form.fact, form.persona?.facts.length]).toEqual([limits.facts, true, `fact ${limits.facts + 1}`, limits.facts]);
    form.removeFact('one');
    form.addFact();
    expect([form.facts[0], form.facts.at(-1), form.fact]).toEqual(['fact 2', `fact ${limits.facts + 1}`, '']);
  });

  it('is the same after it was kept and restored, and bears what was kept by another version', () => {
    const form = typed({ fact: 'half a' });
    form.style = 'playful';
    form.toggle('zh');
    form.fact = 'whole';
    form.addFact();
    form.fact = 'half a';
    const again = new PersonaForm();
    again.restore(JSON.parse(JSON.stringify(form.typed)) as object);
    expect([again.typed, again.persona]).toEqual([form.typed, form.persona]);
    const bad = new PersonaForm();
    bad.restore({ owner: 7, style: 'rude', languages: ['fr', 'en'], facts: [1, 'f'] } as never);
    expect(bad.typed).toMatchObject({ owner: '', style: 'plain', languages: ['en'], facts: ['f'] });
  });

  it('shows a persona whole', () => {
    const persona = personaSchema.parse({ owner: 'A', name: 'B', owner_en: 'C', built_on: 'M', languages: ['en'], style: 'warm', facts: ['f'] });
    const form = typed({ name_en: 'old', fact: 'old' });
    form.fill(persona);
    expect(form.persona).toEqual(persona);
  });
});
