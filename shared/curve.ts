// Curve: the steps of a run as a window has them, put together from what was stored and what has come since.

/** Steps that take the place of everything behind step `after` (0 = from the beginning), in order and without a gap. */
export interface CurvePart<Step extends { step: number }> {
  after: number;
  steps: readonly Step[];
}

/**
 * The curve with `part` put in place. null where steps are missing between the two: the window then reads the run's steps
 * behind the last one that it has (runs.metrics).
 */
export function withPart<Step extends { step: number }>(curve: readonly Step[], part: CurvePart<Step>): Step[] | null {
  // Steps come one by one: the place of a step is its number, unless the curve itself began later.
  const kept = curve.findLastIndex(({ step }) => step <= part.after) + 1;
  if ((curve[kept - 1]?.step ?? 0) < part.after) return null;
  return curve.slice(0, kept).concat(part.steps);
}
