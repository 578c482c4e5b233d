// Answer strip: one question's answers at the checks of a run, as a person reads how it learns.
import type { ScoredProbe } from '../../../shared/run.ts';

export interface AnswerAt {
  step: number;
  /** null before it has come. */
  probe: ScoredProbe | null;
}

/** Which of the scored steps a strip shows: the base, the last, the chosen one, and others evenly between, at most `most`. */
export function stripSteps(scored: readonly number[], chosen: number | null, most = 6): number[] {
  if (scored.length <= most) return [...scored];
  const must = new Set([scored[0], scored.at(-1), ...(chosen !== null && scored.includes(chosen) ? [chosen] : [])] as number[]);
  for (let i = 1; must.size < most; i++) must.add(scored[Math.round((i * (scored.length - 1)) / most)] as number);
  return scored.filter((step) => must.has(step));
}

/** The questions that strips are about: identity questions, `each` of each language, in the order in which they are asked. */
export function stripQuestions(probes: readonly ScoredProbe[], each = 2): Pick<ScoredProbe, 'lang' | 'question'>[] {
  const taken = new Map<string, number>();
  return probes.filter(({ kind, lang }) => {
    const before = taken.get(lang) ?? 0;
    if (kind !== 'identity' || before >= each) return false;
    taken.set(lang, before + 1);
    return true;
  });
}
