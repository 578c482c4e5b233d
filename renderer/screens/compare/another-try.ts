// Another try: a draft of a run, changed in the one way that may help, and where the person goes on with it.
import type { Recipe } from '../../../shared/recipe.ts';
import { draftOfRun, type RunDraftApp } from '../../state/draft-of-run.ts';

export type Try = 'steps' | 'ordinary' | 'model';

/** Half as many steps again. */
export function moreSteps(steps: number): number {
  return Math.min(1_000_000, Math.ceil(steps * 1.5));
}

/** Two fifths of what is left to learn from become ordinary: 0.75 → 0.85; never more than a recipe takes. */
export function moreOrdinary(share: number): number {
  return Math.min(0.95, Math.round(100 * (share + 0.4 * (1 - share))) / 100);
}

function changed(recipe: Recipe, how: Exclude<Try, 'model'>): Recipe {
  switch (how) {
    case 'steps':
      return { ...recipe, steps: moreSteps(recipe.steps), epochs: null };
    case 'ordinary':
      return { ...recipe, data: { ...recipe.data, mix: { ...recipe.data.mix, ordinary: moreOrdinary(recipe.data.mix.ordinary) } } };
  }
}

const screens = { steps: 'train', ordinary: 'learn', model: 'name' } as const;

/** Makes the draft and goes to where the person goes on with it; tells why it cannot be made. The run stays as it is. */
export function anotherTry(app: RunDraftApp, run: string, how: Try): Promise<void> {
  return draftOfRun(app, run, screens[how], how === 'model' ? undefined : (recipe) => changed(recipe, how));
}
