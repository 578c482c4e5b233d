// Another try: a draft of a run, changed in the one way that may help, and where the person goes on with it.
import type { Recipe } from '../../../shared/recipe.ts';
import type { Api } from '../../api.ts';
import type { Place } from '../../state/route.svelte.ts';

export type Try = 'steps' | 'ordinary' | 'model';

/** Half as many steps again. */
export function moreSteps(steps: number): number {
  return Math.min(1_000_000, Math.ceil(steps * 1.5));
}

/** Two fifths of what is left to learn from become ordinary: 0.75 → 0.85; never more than a recipe takes. */
export function moreOrdinary(share: number): number {
  return Math.min(0.95, Math.round(100 * (share + 0.4 * (1 - share))) / 100);
}

function changed(recipe: Recipe, how: Try): Recipe | null {
  switch (how) {
    case 'steps':
      return { ...recipe, steps: moreSteps(recipe.steps), epochs: null };
    case 'ordinary':
      return { ...recipe, data: { ...recipe.data, mix: { ...recipe.data.mix, ordinary: moreOrdinary(recipe.data.mix.ordinary) } } };
    case 'model':
      return null;
  }
}

const screens = { steps: 'train', ordinary: 'learn', model: 'name' } as const;

/** Makes the draft and says where it goes on. Throws what the core throws; the run stays as it is. */
export async function anotherTry(api: Pick<Api, 'request'>, run: string, how: Try): Promise<Place> {
  const { draft, recipe } = await api.request('drafts.from_run', { run });
  const next = changed(recipe, how);
  if (next !== null) await api.request('drafts.change', { draft, recipe: next });
  return { screen: screens[how], subject: { draft } };
}
