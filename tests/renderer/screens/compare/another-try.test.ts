import { describe, expect, it } from 'vitest';
import type { Api } from '../../../../renderer/api.ts';
import { anotherTry, moreOrdinary, moreSteps } from '../../../../renderer/screens/compare/another-try.ts';
import { recipeSchema, type Recipe } from '../../../../shared/recipe.ts';

const recipe = recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo' } }, steps: 120, epochs: 2 });

/** A core that makes a draft of the run and notes how it is changed. */
function core(): { api: Pick<Api, 'request'>; changes: Recipe[] } {
  const changes: Recipe[] = [];
  const request = (name: string, input: { recipe: Recipe }): Promise<unknown> => {
    if (name === 'drafts.change') changes.push(input.recipe);
    return Promise.resolve({ draft: '0123456789abcdef', recipe });
  };
  return { api: { request: request as Api['request'] }, changes };
}

describe('another try', () => {
  it('trains half as many steps again, whatever counted them before', async () => {
    const { api, changes } = core();
    expect(await anotherTry(api, 'r', 'steps')).toEqual({ screen: 'train', subject: { draft: '0123456789abcdef' } });
    expect(changes).toEqual([{ ...recipe, steps: 180, epochs: null }]);
  });

  it('learns from more ordinary questions', async () => {
    const { api, changes } = core();
    expect(await anotherTry(api, 'r', 'ordinary')).toMatchObject({ screen: 'learn' });
    expect(changes).toMatchObject([{ steps: 120, data: { mix: { ordinary: 0.85 } } }]);
  });

  it('with another model begins where one is chosen', async () => {
    const { api, changes } = core();
    expect(await anotherTry(api, 'r', 'model')).toMatchObject({ screen: 'name' });
    expect(changes).toEqual([]);
  });

  it('never asks for more than a recipe takes', () => {
    for (const steps of [1, 3, 120, 1_000_000]) {
      for (const ordinary of [0, 0.5, 0.75, 0.94, 0.95]) {
        const next = { ...recipe, steps: moreSteps(steps), data: { ...recipe.data, mix: { ...recipe.data.mix, ordinary: moreOrdinary(ordinary) } } };
        expect(recipeSchema.safeParse(next).success).toBe(true);
        expect(moreOrdinary(ordinary)).toBeGreaterThanOrEqual(ordinary);
      }
    }
  });
});
