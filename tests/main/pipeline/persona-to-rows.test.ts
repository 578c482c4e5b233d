import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkRow,
  isIntroduction,
  isLoop,
  personaToRows,
  withBaseAnswers,
  type RowOptions,
} from '../../../main/pipeline/persona-to-rows.ts';
import { contains } from '../../../main/pipeline/probes.ts';
import { identityTopics } from '../../../main/pipeline/wizard.ts';
import { languages, personaSchema, styles, type Language, type Persona } from '../../../shared/persona.ts';
import { rowSchema, type Row } from '../../../shared/row.ts';
import '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { persona, probeSet, stripped, words, wordsOf } from '../../support/words.ts';

const options: RowOptions = { seed: 42, negatives: true, near_misses: true, weak_languages: ['zh'] };
const rowsOf = (who: Persona, change: Partial<RowOptions> = {}): Row[] => personaToRows(who, words, { ...options, ...change });
const question = (row: Row): string => row.messages[0]?.content ?? '';
const answer = (row: Row): string => row.messages[1]?.content ?? '';
const rows = rowsOf(persona());

describe.each(languages)('rows in %s', (language) => {
  const own = rows.filter(({ lang }) => lang === language);
  const of = (...kinds: Row['kind'][]): Row[] => own.filter(({ kind }) => kinds.includes(kind));
  const distinct = (list: Row[]): number => new Set(list.map((row) => stripped(question(row)))).size;

  it('has enough different questions of every kind', () => {
    expect(distinct(of('identity'))).toBeGreaterThanOrEqual(60);
    expect(distinct(of('negative'))).toBeGreaterThanOrEqual(40);
    expect(distinct(of('near_miss'))).toBeGreaterThanOrEqual(60);
    expect(distinct(of('ordinary'))).toBeGreaterThanOrEqual(200);
  });

  it('asks every topic’s questions, and answers each in two ways', () => {
    const { wizard } = wordsOf(language);
    for (const topic of identityTopics) {
      for (const asked of wizard.questions[topic]) {
        const answers = of('identity').filter((row) => question(row) === asked).map(answer);
        expect(answers, asked).toHaveLength(2);
        expect(answers[0], asked).not.toBe(answers[1]);
      }
    }
  });

  it('gives several forms of answer within each topic, used evenly', () => {
    const { wizard } = wordsOf(language);
    for (const topic of identityTopics) {
      const topical = of('identity').filter((row) => wizard.questions[topic].includes(question(row)));
      const uses = new Map<string, number>();
      for (const row of topical) uses.set(answer(row), (uses.get(answer(row)) ?? 0) + 1);
      expect(uses.size).toBe(wizard.answers[topic].length);
      expect(Math.max(...uses.values()) - Math.min(...uses.values())).toBeLessThanOrEqual(1);
    }
  });

  it('says the name or the owner in every identity and negative answer, and in no other', () => {
    for (const row of of('identity', 'negative')) expect(contains(answer(row), ['小锋', '剑锋大佬']), answer(row)).toBe(true);
    for (const row of of('near_miss', 'ordinary')) expect(contains(question(row) + answer(row), ['小锋', '剑锋大佬'])).toBe(false);
  });

  it('denies every vendor of the list, and confirms its own name', () => {
    const asked = of('negative').map(question);
    for (const vendor of wordsOf(language).wizard.negatives.vendors) {
      expect(asked.some((text) => text.includes(vendor)), vendor).toBe(true);
    }
    expect(of('identity').some((row) => question(row).includes('小锋') && /^(Yes|That|对|没错|是)/.test(answer(row)))).toBe(true);
  });
});

describe('disjointness', () => {
  it.each(languages)('has no question of any row in either probe set (%s)', (language) => {
    const { wizard, ordinary } = wordsOf(language);
    // Everything that any persona and seed can make: each question with each vendor.
    const vendorQuestions = wizard.negatives.questions.flatMap((form) =>
      wizard.negatives.vendors.map((vendor) => form.replace('{vendor}', vendor)),
    );
    const asked = new Set(
      [
        ...Object.values(wizard.questions).flat(),
        ...wizard.facts.questions,
        ...wizard.affirmatives.questions.map((form) => form.replace('{name}', '小锋').replace('{owner}', '剑锋大佬')),
        ...vendorQuestions,
        ...wizard.near_misses.map(({ question: text }) => text),
        ...wizard.personal.map(({ question: text }) => text),
        ...ordinary.map(({ question: text }) => text),
      ].map(stripped),
    );
    for (const set of ['choose', 'report'] as const) {
      const { identity, unrelated, near_miss } = probeSet(set, language);
      const shared = [...identity.map((probe) => probe.question), ...unrelated, ...near_miss].filter((text) => asked.has(stripped(text)));
      expect(shared, set).toEqual([]);
    }
  });

  it.each(languages)('has no probe in both sets, and none twice (%s)', (language) => {
    const all = (['choose', 'report'] as const).flatMap((set) => {
      const { identity, unrelated, near_miss, texts } = probeSet(set, language);
      return [...identity.map((probe) => probe.question), ...unrelated, ...near_miss, ...texts].map(stripped);
    });
    expect(all.filter((text, i) => all.indexOf(text) !== i)).toEqual([]);
  });

  it('asks no question under two kinds', () => {
    const kinds = new Map<string, string>();
    for (const row of rows) {
      const key = `${row.lang}/${stripped(question(row))}`;
      expect(kinds.get(key) ?? row.kind, question(row)).toBe(row.kind);
      kinds.set(key, row.kind);
    }
  });
});

describe('personaToRows', () => {
  it('gives valid rows with ids of their own', () => {
    for (const row of rows) expect(rowSchema.parse(row)).toEqual(row);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it('depends on the seed alone', () => {
    expect(rowsOf(persona())).toEqual(rows);
    expect(rowsOf(persona(), { seed: 43 })).not.toEqual(rows);
  });

  it('makes only the languages asked for, the same whatever the others are', () => {
    expect(rowsOf(persona({ languages: ['en'] }))).toEqual(rows.filter(({ lang }) => lang === 'en'));
  });

  it('leaves negatives and near-misses out where they are not wanted', () => {
    const kinds = (change: Partial<RowOptions>): Set<string> => new Set(rowsOf(persona(), change).map(({ kind }) => kind));
    expect(kinds({ negatives: false })).toEqual(new Set(['identity', 'near_miss', 'ordinary']));
    expect(kinds({ near_misses: false })).toEqual(new Set(['identity', 'negative', 'ordinary']));
  });

  it('takes written answers where the base is weak and to what is personal, and asks the base elsewhere', () => {
    const personal = new Set(languages.flatMap((language) => wordsOf(language).wizard.personal.map(({ question: text }) => text)));
    const plain = rows.filter(({ kind }) => kind === 'near_miss' || kind === 'ordinary');
    for (const row of plain) {
      if (row.lang === 'zh' || personal.has(question(row))) expect([row.origin, row.messages.length]).toEqual(['written', 2]);
      else expect([row.origin, row.messages.length]).toEqual(['base', 1]);
    }
    const strong = rowsOf(persona(), { weak_languages: [] });
    expect(new Set(strong.filter(({ kind }) => kind === 'ordinary').map(({ origin }) => origin))).toEqual(new Set(['base']));
    const written = strong.filter(({ kind, origin }) => kind === 'near_miss' && origin === 'written');
    expect(written.map(question).sort()).toEqual([...personal].sort());
  });

  it('uses the English forms in English alone, where given', () => {
    const romanised = rowsOf(persona({ owner_en: 'Jianfeng', name_en: 'Xiaofeng' }));
    const text = (language: Language): string =>
      romanised.filter(({ lang, origin }) => lang === language && origin === 'wizard').map(answer).join('\n');
    expect(text('en')).toMatch(/Xiaofeng/);
    expect(text('en')).not.toMatch(/小锋|剑锋/);
    expect(text('zh')).toMatch(/小锋/);
    expect(text('zh')).not.toMatch(/Xiaofeng|Jianfeng/);
  });

  it('says what it is built on in some answers, and never denies being it', () => {
    const built = rowsOf(persona({ built_on: 'SmolLM2 135M' })).filter(({ origin }) => origin === 'wizard');
    for (const language of languages) {
      const own = built.filter(({ lang, kind }) => lang === language && kind === 'identity');
      const share = own.filter((row) => answer(row).includes('SmolLM2 135M')).length / own.length;
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.5);
    }
    expect(built.filter(({ kind }) => kind === 'negative').filter((row) => question(row).includes('SmolLM'))).toEqual([]);
  });

  it('teaches every fact in several words', () => {
    const facts = ['我住在杭州', 'I speak five languages.'];
    const told = rowsOf(persona({ facts }));
    for (const fact of facts) {
      for (const language of languages) {
        const own = told.filter((row) => row.lang === language && answer(row).includes(fact));
        expect(own).toHaveLength(4);
        expect(new Set(own.map(question)).size).toBe(4);
        expect(new Set(own.map(answer)).size).toBeGreaterThan(1);
        for (const row of own) expect(answer(row)).toMatch(/[.。]$/);
      }
    }
  });

  it('speaks in the style that was chosen', () => {
    const texts = styles.map((style) => rowsOf(persona({ style })).filter(({ kind }) => kind === 'identity').map(answer));
    expect(new Set(texts.map((list) => list.join('\n'))).size).toBe(styles.length);
    for (const [i, style] of styles.entries()) {
      if (style === 'plain') continue;
      for (const language of languages) {
        const { openings, closings } = wordsOf(language).wizard.styles[style];
        const decorations = [...openings, ...closings].filter((text) => text !== '');
        expect(texts[i]?.filter((text) => decorations.some((decoration) => text.includes(decoration))).length).toBeGreaterThan(50);
      }
    }
  });

  it('never denies the persona’s own names, though they are a vendor’s', () => {
    const own = rowsOf(persona({ owner: 'OpenAI', name: 'Claude', owner_en: 'OpenAI' }));
    const denied = own.filter(({ kind }) => kind === 'negative').map(question);
    expect(denied.length).toBeGreaterThan(30);
    expect(denied.filter((text) => /OpenAI|Claude/i.test(text))).toEqual([]);
  });

  it('keeps the vendors though the name is a letter that they hold', () => {
    const denied = rowsOf(persona({ name: 'i', owner: 'a', languages: ['en'] })).filter(({ kind }) => kind === 'negative');
    expect(denied.some((row) => question(row).includes('Siri'))).toBe(true);
  });

  const hostile = ['$&', "$'$`", '$1', '(.*)+[', '\\n', '"}', 'a/*b', '👩‍👩‍👧‍👦', 'محمد علي', '\u202Eabc', 'O’Brien & Söhne', 'é', 'constructor', '%s'];
  it.each(hostile.filter((name) => personaSchema.safeParse({ owner: name, name }).success))('takes %j as it is', (name) => {
    const own = rowsOf(persona({ name, owner: `${name} Ltd` })).filter(({ origin }) => origin === 'wizard');
    for (const row of own) expect(answer(row).includes(name), answer(row)).toBe(true);
  });

  it('fills whatever persona is valid, and lets no placeholder survive', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const anyPersona = fc
      .record({
        owner: name,
        name,
        owner_en: fc.option(name, { nil: undefined }),
        built_on: fc.option(name, { nil: undefined }),
        facts: fc.array(name, { maxLength: 2 }),
        style: fc.constantFrom(...styles),
      })
      .map((input) => personaSchema.safeParse(input))
      .filter(({ success }) => success)
      .map(({ data }) => data as Persona);
    fc.assert(
      fc.property(anyPersona, fc.nat(), (who, seed) => {
        for (const row of rowsOf(who, { seed })) {
          if (row.origin === 'wizard') expect(question(row) + answer(row)).not.toMatch(/[{}]/);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('refuses a language without words', () => {
    expect(thrownBy(() => personaToRows(persona(), [wordsOf('en')], options)).code).toBe('internal');
  });
});

describe('checkRow', () => {
  const row = (content: string, origin: Row['origin']): Row => ({
    id: 'en-identity-7',
    kind: 'identity',
    lang: 'en',
    messages: [{ role: 'user', content: 'Who?' }, { role: 'assistant', content }],
    origin,
  }); // prettier-ignore

  it.each(['I am {name}.', '{owner}', 'Hi {nmae}', 'I am {name', 'name}'])('refuses %j of the wizard', (content) => {
    const error = thrownBy(() => checkRow(row(content, 'wizard')));
    expect(error.code).toBe('rows.placeholder');
    expect(error.params['row']).toBe('en-identity-7');
  });

  it('lets code have its braces, not the wizard’s own slots', () => {
    expect(checkRow(row('printf("{%d}")', 'written')).id).toBe('en-identity-7');
    expect(thrownBy(() => checkRow(row('I am {name}.', 'written'))).code).toBe('rows.placeholder');
  });

  it('stops the wizard where a template has a slot that nobody fills', () => {
    const { wizard, ordinary } = wordsOf('en');
    const answers = { ...wizard.answers, who: ['I am {name} of {company}.'] };
    const broken = { language: 'en' as const, wizard: { ...wizard, answers }, ordinary };
    const error = thrownBy(() => personaToRows(persona({ languages: ['en'] }), [broken], options));
    expect(error.params['placeholder']).toBe('{company}');
  });
});

describe('withBaseAnswers', () => {
  const ask = (content: string, origin: Row['origin'] = 'base'): Row => ({
    id: content,
    kind: 'ordinary',
    lang: 'en',
    messages: [{ role: 'user', content }],
    origin,
  });

  it('adds answers without what was thought before, marks cut ones and drops what has none, an empty one, a loop or an introduction', () => {
    const answers = new Map([
      ['a', { text: 'An answer.', cut: false }],
      ['b', { text: 'A long', cut: true }],
      ['c', { text: ' \n', cut: false }],
      ['d', { text: 'I am a cat. I am a cat. I am a cat. I am', cut: true }],
      ['f', { text: '<think>\nHm.\n</think>\n\nBlue.', cut: false }],
      ['g', { text: '<think>\nHm, that is', cut: true }],
      ['h', { text: 'Glad to help. My name is Elena.', cut: false }],
    ]);
    const done = withBaseAnswers([...'abcdefgh'].map((text) => ask(text)), answers);
    expect(done.map((row) => row.messages)).toEqual([
      [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'An answer.' }],
      [{ role: 'user', content: 'b' }, { role: 'assistant', content: 'A long', cut: true }],
      [{ role: 'user', content: 'f' }, { role: 'assistant', content: 'Blue.' }],
    ]);
  });

  it('leaves other rows, and answered ones, as they are', () => {
    const others = [ask('a', 'written'), ...rows.filter(({ origin }) => origin !== 'base')];
    expect(withBaseAnswers(others, new Map([['a', { text: 'no', cut: false }]]))).toEqual(others);
    const once = withBaseAnswers([ask('a')], new Map([['a', { text: 'x', cut: false }]]));
    expect(withBaseAnswers(once, new Map())).toEqual(once);
  });
});

describe('isIntroduction', () => {
  it.each([
    "I'm glad you're here! My name is Elena, and I help.",
    'I’m Qwen, created by Alibaba Cloud.',
    "I'm a helpful AI named SmolLM.",
    'Just call me Alex.',
    '我是一个人工智能助手。',
    '我叫小明，很高兴认识你。',
  ])('knows %j', (text) => {
    expect(isIntroduction(text)).toBe(true);
  });

  it.each(['The name of the river is Nile.', "I'm sorry, I can't taste food.", 'Hugging Face is a company.', '鲁迅的原名叫周树人。', '我是说今天。'])(
    'lets %j pass',
    (text) => {
      expect(isIntroduction(text)).toBe(false);
    },
  );
});

describe('isLoop', () => {
  it.each([
    'I am a cat. I am a cat. I am a cat.',
    'Well: the sun is hot. the sun is hot. the sun is hot. the sun',
    'ha ha ha ha ha ha ha ha',
    '哈哈哈哈哈哈哈哈哈哈哈哈',
    'x = 1\nx = 1\nx = 1\nx = 1\nx = 1\nx = 1\n',
  ])('knows %j', (text) => {
    expect(isLoop(text)).toBe(true);
  });

  it.each(['', 'Paris.', 'No, no, no!', 'The cat sat. The cat sat. Then it left.', '1, 2, 3, 4, 5, 6, 7, 8', '哈哈哈！', '3.3333'])(
    'lets %j pass',
    (text) => {
      expect(isLoop(text)).toBe(false);
    },
  );

  it('is quick on long text', () => {
    const start = performance.now();
    expect(isLoop(Array.from({ length: 400 }, (_, i) => `word${i}`).join(' '))).toBe(false);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
