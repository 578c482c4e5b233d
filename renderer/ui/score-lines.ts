// Score lines: a checkpoint's scores as a person reads them: shares of which more is better, with what they were before.
import type { Language } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { CheckpointScores, LanguageScore, ScoredProbe, Scores } from '../../shared/run.ts';

export type ScoreKind = 'knows' | 'leaves' | 'kept';
type Limits = NonNullable<Recipe['evaluate']>['limits'];

export interface ScoreLine {
  kind: ScoreKind;
  /** null: over all languages. */
  lang: Language | null;
  /** 0 to 1, more is better; `kept` is 1 / perplexity ratio, and never more than 1. */
  now: number;
  /** The same of the base; null where it is not known, and for `kept`, which compares with it. */
  before: number | null;
  /** How many questions are behind it, and how many of their answers are as they should be; null before they are known. */
  asked: { good: number; all: number } | null;
  askedBefore: { good: number; all: number } | null;
  /** Whether it is within the recipe's limit; null where there is none. */
  enough: boolean | null;
}

const order: readonly Language[] = ['zh', 'en'];

/** A limit of a recipe for one language, as the run applies it. */
function limitOf(limit: Limits['recall'], language: Language, otherwise: number): number {
  return typeof limit === 'number' ? limit : (limit[language] ?? otherwise);
}

/** Whether an answer is as it should be: carries the name where it was asked for, and nowhere else. */
export function isGood({ kind, hit }: ScoredProbe): boolean {
  return (kind === 'identity') === hit;
}

/** The questions that a line counts. */
export function probesOf(probes: readonly ScoredProbe[], { kind, lang }: Pick<ScoreLine, 'kind' | 'lang'>): ScoredProbe[] {
  return probes.filter((probe) => probe.lang === lang && (probe.kind === 'identity') === (kind === 'knows'));
}

function counted(probes: readonly ScoredProbe[] | null, line: Pick<ScoreLine, 'kind' | 'lang'>): ScoreLine['asked'] {
  const own = probes === null ? [] : probesOf(probes, line);
  return own.length === 0 ? null : { good: own.filter(isGood).length, all: own.length };
}

function share(kind: 'knows' | 'leaves', { recall, leak }: LanguageScore): number {
  return kind === 'knows' ? recall : 1 - leak;
}

/** The lines of a score card; `probes` are what stands behind `now` and `before` where it is known. */
export function scoreLines(
  now: Scores,
  before: Scores | null,
  limits: Limits | null,
  probes: { now: readonly ScoredProbe[] | null; before: readonly ScoredProbe[] | null },
): ScoreLine[] {
  const lines = order.flatMap((lang) => {
    const [scored, was] = [now[lang], before?.[lang]];
    if (scored === undefined) return [];
    return (['knows', 'leaves'] as const).map((kind): ScoreLine => {
      const enough = limits === null ? null : kind === 'knows' ? scored.recall >= limitOf(limits.recall, lang, 0.95) : scored.leak <= limitOf(limits.leak, lang, 0.05);
      const line = { kind, lang };
      return {
        ...line,
        now: share(kind, scored),
        before: was === undefined ? null : share(kind, was),
        asked: counted(probes.now, line),
        askedBefore: counted(probes.before, line),
        enough,
      };
    });
  });
  const kept = Math.min(1, 1 / now.retention.perplexity_ratio);
  return [...lines, { kind: 'kept', lang: null, now: kept, before: null, asked: null, askedBefore: null, enough: null }];
}

/** Checkpoints that were scored, in order; the first may be the base (step 0). */
export function scoredSteps(checkpoints: readonly CheckpointScores[]): (CheckpointScores & { scores: Scores })[] {
  return checkpoints.filter((checkpoint): checkpoint is CheckpointScores & { scores: Scores } => checkpoint.scores !== null);
}
