// Probes: held-out questions, and how answers to them are scored. By code, never by a model.
import { z } from 'zod';
import type { Language, Persona } from '../../shared/persona.ts';
import type { LanguageScore, Retention, ScoreCount, ScoredProbe, Scores } from '../../shared/run.ts';
import type { ScoreResult } from '../../shared/engine.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { answerOf } from '../../shared/thinking.ts';

const question = z.string().min(1);
export const probeSetSchema = z.strictObject({
  /** Questions about who it is; `asks` says which name its answer must carry. */
  identity: z.array(z.strictObject({ question, asks: z.enum(['name', 'owner', 'either']) })).min(1),
  unrelated: z.array(question).min(1),
  /** Questions that look like identity and are not. */
  near_miss: z.array(question).min(1),
  /** Fixed texts on which retention is measured. */
  texts: z.array(question).min(1),
});
export type ProbeSet = z.infer<typeof probeSetSchema>;
export type ProbeSets = Partial<Record<Language, ProbeSet>>;
export type Asks = ProbeSet['identity'][number]['asks'];

export type { ScoredProbe };

const LATIN_WORD = /^[\p{Script=Latin}\p{N}]/u;
const LATIN_WORD_END = /[\p{Script=Latin}\p{N}]$/u;

/** NFKC and case folded: upper case first, so that ß meets SS and both of Greek's small sigmas meet. */
function normalise(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Whether `text` contains one of the forms: NFKC, case folded, word borders where the form's end is Latin or a digit. */
export function contains(text: string, forms: readonly string[]): boolean {
  const body = normalise(text);
  return forms.some((form) => {
    const word = normalise(form);
    const before = LATIN_WORD.test(word) ? '(?<![\\p{Script=Latin}\\p{N}])' : '';
    const after = LATIN_WORD_END.test(word) ? '(?![\\p{Script=Latin}\\p{N}])' : '';
    return new RegExp(before + escapeRegExp(word) + after, 'u').test(body);
  });
}

/** Forms of owner and name; strings that stand in the question do not count, since repeating them proves nothing. */
function formsOf(persona: Persona, asks: Asks, asked: string): string[] {
  const names = [persona.name, persona.name_en];
  const owners = [persona.owner, persona.owner_en];
  const forms = asks === 'name' ? names : asks === 'owner' ? owners : [...names, ...owners];
  return forms.filter((form) => form !== undefined).filter((form) => !contains(asked, [form]));
}

/** Whether an answer carries what was asked (`either` is also what a leak is). */
export function carries(answer: string, asked: string, persona: Persona, asks: Asks): boolean {
  return contains(answer, formsOf(persona, asks, asked));
}

/** The questions of a probe set in a fixed order. */
export function probeQuestions(sets: ProbeSets, languages: readonly Language[]): Omit<ScoredProbe, 'answer' | 'hit'>[] {
  return languages.flatMap((lang) => {
    const set = sets[lang];
    if (set === undefined) return [];
    return [
      ...set.identity.map(({ question }) => ({ lang, kind: 'identity' as const, question })),
      ...set.unrelated.map((question) => ({ lang, kind: 'unrelated' as const, question })),
      ...set.near_miss.map((question) => ({ lang, kind: 'near_miss' as const, question })),
    ];
  });
}

/**
 * Verdicts for answers in the order of `probeQuestions`, each as it stands after its thinking: a name that was only thought of was
 * neither said nor given away, and an answer that never came to an end of thinking says nothing.
 */
export function scoreAnswers(
  sets: ProbeSets,
  languages: readonly Language[],
  persona: Persona,
  answers: readonly string[],
): ScoredProbe[] {
  return probeQuestions(sets, languages).map((probe, i) => {
    const answer = answerOf(answers[i] ?? '');
    const asks =
      probe.kind === 'identity'
        ? (sets[probe.lang]?.identity.find(({ question }) => question === probe.question)?.asks ?? 'either')
        : 'either';
    return { ...probe, answer, hit: carries(answer, probe.question, persona, asks) };
  });
}

function share(probes: readonly ScoredProbe[]): number {
  return probes.length === 0 ? 0 : probes.filter(({ hit }) => hit).length / probes.length;
}

/** Recall and leak of one language. */
export function languageScore(probes: readonly ScoredProbe[], lang: Language): LanguageScore {
  const own = probes.filter((probe) => probe.lang === lang);
  return {
    recall: share(own.filter(({ kind }) => kind === 'identity')),
    leak: share(own.filter(({ kind }) => kind !== 'identity')),
  };
}

/** Recall and leak in whole questions, over all languages; null where nothing was asked. */
export function countScore(probes: readonly Pick<ScoredProbe, 'kind' | 'hit'>[]): ScoreCount | null {
  if (probes.length === 0) return null;
  const own = probes.filter(({ kind }) => kind === 'identity');
  const others = probes.filter(({ kind }) => kind !== 'identity');
  return {
    knows: { right: own.filter(({ hit }) => hit).length, of: own.length },
    alone: { right: others.filter(({ hit }) => !hit).length, of: others.length },
  };
}

/** Retention over languages: the worst counts. */
export function retention(results: readonly ScoreResult[]): Retention {
  const worst = (values: number[]): number => values.reduce((most, value) => Math.max(most, value), -Infinity);
  return {
    kl: worst(results.map(({ kl, labels }) => kl / labels)),
    perplexity_ratio: worst(results.map(({ ce_tuned, ce_base, labels }) => Math.exp((ce_tuned - ce_base) / labels))),
  };
}

type Limits = NonNullable<Recipe['evaluate']>['limits'];

function limitFor(limit: Limits['recall'], language: Language, fallback: number): number {
  return typeof limit === 'number' ? limit : (limit[language] ?? fallback);
}

/** The limits that a score card misses, e.g. ["zh.leak"]; empty = right. */
export function missedLimits(scores: Scores, languages: readonly Language[], limits: Limits): string[] {
  return languages.flatMap((language) => {
    const score = scores[language];
    if (score === undefined) return [];
    return [
      ...(score.recall >= limitFor(limits.recall, language, 0.95) ? [] : [`${language}.recall`]),
      ...(score.leak <= limitFor(limits.leak, language, 0.05) ? [] : [`${language}.leak`]),
    ];
  });
}

export interface Evaluation {
  step: number;
  scores: Scores;
  right: boolean;
}

/** min recall − max leak over languages: how good a checkpoint is that is not within the limits. */
export function margin(scores: Scores, languages: readonly Language[]): number {
  const own = languages.flatMap((language) => scores[language] ?? []);
  return Math.min(...own.map(({ recall }) => recall)) - Math.max(...own.map(({ leak }) => leak));
}

/** The chosen checkpoint: among the right ones that with the best retention, else the one with the best margin. */
export function choose<T extends Evaluation>(evaluations: readonly T[], languages: readonly Language[]): T | null {
  const right = evaluations.filter((evaluation) => evaluation.right);
  const best = (list: readonly T[], value: (evaluation: T) => number): T | null =>
    list.reduce<T | null>((found, item) => (found === null || value(item) > value(found) ? item : found), null);
  return right.length > 0
    ? best(right, ({ scores }) => -scores.retention.kl)
    : best(evaluations, ({ scores }) => margin(scores, languages));
}

/** Two-sided stop: right twice in a row. */
export function rightTwice(evaluations: readonly Evaluation[]): boolean {
  return evaluations.length >= 2 && evaluations.slice(-2).every(({ right }) => right);
}
