// Persona → rows: the wizard. Deterministic by seed; no file is read and no model is asked here.
import { NamesakeError } from '../../shared/errors.ts';
import type { Language, Persona } from '../../shared/persona.ts';
import type { BaseAnswer, Row, RowKind, RowOrigin } from '../../shared/row.ts';
import { answerOf } from '../../shared/thinking.ts';
import { contains } from './probes.ts';
import { Random } from './random.ts';
import { identityTopics, type LanguageResources, type Wizard, type WrittenQuestion } from './wizard.ts';

export interface RowOptions {
  seed: number;
  negatives: boolean;
  near_misses: boolean;
  /** Languages in which written answers are taken instead of the base model's own. */
  weak_languages: readonly Language[];
}

/** Answers per identity question: more than one wording of the same truth, so that it is not one sentence learnt by heart. */
const ANSWERS_PER_QUESTION = 2;
/** "No, I'm …" rows per language: enough to hold, few enough not to make "no" a habit. */
const NEGATIVES = 64;
const FACT_QUESTIONS = 4;
/** Share of who/kind/maker/company answers that also say what the assistant is built on. */
const BUILT_ON_SHARE = 0.5;
const BUILT_ON_TOPICS: readonly string[] = ['who', 'kind', 'maker', 'company'];

type Slots = Record<string, string>;

/** Fills {slots}; unknown ones stay, and are refused by `checkRow`. */
function fill(template: string, slots: Slots): string {
  return template.replace(/\{(\w+)\}/g, (whole, slot: string) => (Object.hasOwn(slots, slot) ? (slots[slot] ?? whole) : whole));
}

/** Sentences of one answer: English ones are parted by a space, Chinese ones by nothing. */
function join(language: Language, ...parts: string[]): string {
  return parts.filter((part) => part !== '').join(language === 'zh' ? '' : ' ');
}

function slotsOf(persona: Persona, language: Language): Slots {
  const english = language === 'en';
  return {
    owner: (english ? persona.owner_en : undefined) ?? persona.owner,
    name: (english ? persona.name_en : undefined) ?? persona.name,
    ...(persona.built_on === undefined ? {} : { built_on: persona.built_on }),
  };
}

/** No persona holds a brace, so in the wizard's own words one is a placeholder; elsewhere it may be a snippet of code. */
const ANY_PLACEHOLDER = /\{[^}]*\}?|\}/;
const KNOWN_PLACEHOLDER = /\{(?:owner|name|built_on|fact|vendor)\}/;

/** Refuses a row in which a wizard's placeholder survived. */
export function checkRow(row: Row): Row {
  for (const message of row.messages) {
    const placeholder = (row.origin === 'wizard' ? ANY_PLACEHOLDER : KNOWN_PLACEHOLDER).exec(message.content);
    if (placeholder) {
      throw new NamesakeError('rows.placeholder', `${placeholder[0]} in row ${row.id}`, {
        row: row.id,
        placeholder: placeholder[0],
      });
    }
  }
  return row;
}

/** Rows of one language, in a fixed order. */
function rowsOfLanguage(persona: Persona, { language, wizard, ordinary }: LanguageResources, options: RowOptions): Row[] {
  const random = new Random(options.seed, `rows/${language}`);
  const slots = slotsOf(persona, language);
  const rows: Row[] = [];
  const add = (kind: RowKind, origin: RowOrigin, question: string, answer: string | null): void => {
    const messages: Row['messages'] = [{ role: 'user', content: question }];
    if (answer !== null) messages.push({ role: 'assistant', content: answer });
    rows.push(checkRow({ id: `${language}-${kind}-${rows.length}`, kind, lang: language, messages, origin }));
  };
  const styled = (answer: string): string => {
    const { openings, closings } = wizard.styles[persona.style];
    return join(language, random.pick(openings), answer, random.pick(closings));
  };

  for (const topic of identityTopics) {
    const answers = new Cycle(random, wizard.answers[topic]);
    for (const question of wizard.questions[topic]) {
      for (let form = 0; form < ANSWERS_PER_QUESTION; form++) {
        const says = BUILT_ON_TOPICS.includes(topic) && persona.built_on !== undefined && random.next() < BUILT_ON_SHARE;
        const builtOn = says ? fill(random.pick(wizard.built_on), slots) : '';
        add('identity', 'wizard', question, styled(join(language, fill(answers.next(), slots), builtOn)));
      }
    }
  }
  const yes = new Cycle(random, wizard.affirmatives.answers);
  for (const question of wizard.affirmatives.questions) {
    add('identity', 'wizard', fill(question, slots), styled(fill(yes.next(), slots)));
  }
  for (const fact of persona.facts) {
    const answers = new Cycle(random, wizard.facts.answers);
    for (const question of random.shuffle(wizard.facts.questions).slice(0, FACT_QUESTIONS)) {
      add('identity', 'wizard', question, fill(answers.next(), { ...slots, fact: endSentence(language, fact) }));
    }
  }
  if (options.negatives) {
    const no = new Cycle(random, wizard.negatives.answers);
    for (const question of negativeQuestions(random, wizard, persona)) {
      add('negative', 'wizard', question, styled(fill(no.next(), slots)));
    }
  }
  const weak = options.weak_languages.includes(language);
  const plain = (kind: RowKind, list: readonly WrittenQuestion[]): void => {
    for (const { question, answer } of list) {
      if (weak && answer !== undefined) add(kind, 'written', question, answer);
      else add(kind, 'base', question, null);
    }
  };
  if (options.near_misses) {
    plain('near_miss', wizard.near_misses);
    for (const { question, answer } of wizard.personal) add('near_miss', 'written', question, answer);
  }
  plain('ordinary', ordinary);
  return rows;
}

/** "Are you {vendor}?" over the vendors, each fixed question once; never a vendor that the assistant says it is built on. */
function negativeQuestions(random: Random, wizard: Wizard, persona: Persona): string[] {
  const own = [persona.name, persona.name_en, persona.owner, persona.owner_en, persona.built_on].filter(
    (text) => text !== undefined,
  );
  const vendors = wizard.negatives.vendors.filter(
    // "SmolLM2" is also SmolLM, so here the vendor needs no word borders.
    (vendor) => !contains(vendor, own) && !own.some((text) => text.toLowerCase().includes(vendor.toLowerCase())),
  );
  const fixed = wizard.negatives.questions.filter(
    (question) => !question.includes('{vendor}') && !contains(question, own),
  );
  const forms = wizard.negatives.questions.filter((question) => question.includes('{vendor}'));
  const vendorCycle = new Cycle(random, vendors);
  const formCycle = new Cycle(random, forms);
  const made = new Set<string>(fixed);
  for (let tries = 0; made.size < NEGATIVES && vendors.length > 0 && tries < 4 * NEGATIVES; tries++) {
    made.add(fill(formCycle.next(), { vendor: vendorCycle.next() }));
  }
  return [...made];
}

function endSentence(language: Language, text: string): string {
  return /[.!?。！？…]$/u.test(text) ? text : text + (language === 'zh' ? '。' : '.');
}

/** Goes through a list in shuffled rounds, so that every element is used before one comes again, and none twice in a row. */
class Cycle<T> {
  readonly #random: Random;
  readonly #list: readonly T[];
  #round: T[] = [];
  #last: T | undefined;

  constructor(random: Random, list: readonly T[]) {
    this.#random = random;
    this.#list = list;
  }

  next(): T {
    if (this.#round.length === 0) {
      this.#round = this.#random.shuffle(this.#list);
      if (this.#round.at(-1) === this.#last) this.#round.reverse();
    }
    this.#last = this.#round.pop() as T;
    return this.#last;
  }
}

/**
 * All rows of a persona: identity, negatives, near-misses and ordinary, per language. Rows of origin `base` have no answer
 * yet: the base model gives it (`withBaseAnswers`). The same persona, seed and resources give the same rows.
 */
export function personaToRows(persona: Persona, resources: readonly LanguageResources[], options: RowOptions): Row[] {
  return persona.languages.flatMap((language) => {
    const found = resources.find((resource) => resource.language === language);
    if (found === undefined) throw new NamesakeError('internal', `no wizard for ${language}`);
    return rowsOfLanguage(persona, found, options);
  });
}

/** Whether a row's id is one that the wizard gives. */
export function isWizardId(id: string): boolean {
  return /^[a-z]{2}-(?:identity|negative|near_miss|ordinary)-\d+$/.test(id);
}

/** Rows of each language that a preview shows, spread over who it is; besides them its last fact, and one thing that it is not. */
const PREVIEWED = [0, 0.25, 0.5, 0.75];

/** A handful of questions with their answers, in each of the persona's languages: what its rows are like. Milliseconds. */
export function previewPersona(persona: Persona, resources: readonly LanguageResources[]): { question: string; answer: string }[] {
  const words = resources.map((resource) => ({ ...resource, ordinary: [] }));
  const rows = personaToRows(persona, words, { seed: 0, negatives: true, near_misses: false, weak_languages: [] });
  return persona.languages.flatMap((language) => {
    const own = rows.filter(({ lang }) => lang === language);
    const identity = own.filter(({ kind }) => kind === 'identity');
    const fact = persona.facts.at(-1);
    const shown = [
      ...PREVIEWED.map((place) => identity[Math.floor(place * identity.length)]),
      fact === undefined ? undefined : identity.find(({ messages }) => messages[1]?.content.includes(fact)),
      own.find(({ kind }) => kind === 'negative'),
    ];
    return shown.flatMap((row) => (row === undefined ? [] : [{ question: row.messages[0]?.content ?? '', answer: row.messages[1]?.content ?? '' }]));
  });
}

export type { BaseAnswer };

/** An answer that turns in circles: its last 8 characters or more stand at least three times at its end. */
export function isLoop(text: string): boolean {
  return /(.{8,}?)\s*\1\s*\1$/su.test(text.trim()) || /(.{2,7})\1{5,}$/su.test(text.trim());
}

const INTRODUCTION =
  /\b[Mm]y name(?:'s| is)\b|\b[Cc]all me [A-Z]|\bI(?:'m| am) (?:called\b|named\b|[A-Z])|\b(?:AI|assistant|chatbot|model) (?:called|named)\b|我叫|我的名字[是叫]|我是[^，。！？]*(?:助手|模型)/u;

/** An answer in which the base says who it is: learnt, it would stand against the assistant's own name. */
export function isIntroduction(text: string): boolean {
  return INTRODUCTION.test(text.replaceAll('’', "'"));
}

/**
 * Puts the base model's answers into rows of origin `base`; rows whose answer is missing, empty, a loop or an introduction
 * are dropped.
 */
export function withBaseAnswers(rows: readonly Row[], answers: ReadonlyMap<string, BaseAnswer>): Row[] {
  return rows.flatMap((row) => {
    if (row.origin !== 'base' || row.messages.at(-1)?.role === 'assistant') return [row];
    const answer = answers.get(row.messages.at(-1)?.content ?? '');
    // What it thought before is not to be learnt.
    const content = answerOf(answer?.text ?? '');
    if (content.trim() === '' || isLoop(content) || isIntroduction(content)) return [];
    const message = { role: 'assistant' as const, content, ...(answer?.cut === true ? { cut: true } : {}) };
    return [{ ...row, messages: [...row.messages, message] }];
  });
}
