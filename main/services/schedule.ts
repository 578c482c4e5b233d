// Schedule: which steps of a run are evaluated and saved. The same for a run that goes on after a kill.
import type { Recipe } from '../../shared/recipe.ts';

export class Schedule {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps between evaluations and the first that can be one; null = nothing is evaluated. */
  readonly #evaluate: { every: number; first: number } | null;
  readonly #saveEvery: number | null;

  /** `evaluated` = there are probes to ask. */
  constructor(recipe: Pick<Recipe, 'evaluate' | 'checkpoint'>, steps: number, evaluated: boolean) {
    this.steps = steps;
    const { evaluate } = recipe;
    this.#evaluate =
      evaluated && evaluate !== null ? { every: evaluate.every_steps, first: Math.min(evaluate.from_step, steps) } : null;
    this.#saveEvery = recipe.checkpoint?.every_steps ?? null;
  }

  /** From `from_step` (capped at the end) on, every so often, and always the last. */
  isEvaluated(step: number): boolean {
    if (this.#evaluate === null) return false;
    return step === this.steps || (step >= this.#evaluate.first && step % this.#evaluate.every === 0);
  }

  isSaved(step: number): boolean {
    return step === this.steps || this.isEvaluated(step) || (this.#saveEvery !== null && step % this.#saveEvery === 0);
  }

  /** How many evaluations come after `step`. */
  evaluationsAfter(step: number): number {
    if (this.#evaluate === null || step >= this.steps) return 0;
    const { every, first } = this.#evaluate;
    const before = Math.floor((Math.max(step + 1, first) - 1) / every);
    // The last step is one whether it is due or not.
    return Math.floor(this.steps / every) - before + (this.steps % every === 0 ? 0 : 1);
  }
}
