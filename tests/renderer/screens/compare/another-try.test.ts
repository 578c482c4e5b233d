import { describe, expect, it } from 'vitest';
import { anotherTry, moreOrdinary, moreSteps } from '../../../../renderer/screens/compare/another-try.ts';
import type { RunDraftApp } from '../../../../renderer/state/draft-of-run.ts';
import { hashOf, type Place } from '../../../../renderer/state/route.svelte.ts';
import { recipeSchema, type Recipe } from '../../../../shared/recipe.ts';

const recipe = recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo' } }, steps: 120, epochs: 2 });

/** An app whose core makes a draft of the run; notes how that is changed, and where the person goes. */
function start(): { app: RunDraftApp; changes: Recipe[]; gone: string[] } {
  const changes: Recipe[] = [];
  const gone: string[] = [];
  const request = (name: string, input: { recipe: Recipe }): Promise<unknown> => {
    if (name === 'drafts.change') changes.push(input.recipe);
    return Promise.resolve({ draft: '0123456789abcdef', recipe });
  };
  const fail = (error: unknown): never => {
    throw error;
  };
  const app: RunDraftApp = { api: { request: request as RunDraftApp['api']['request'] }, notices: { fail }, route: { go: (place: Place) => void gone.push(hashOf(place)) } };
  return { app, changes, gone };
}

describe('another try', () => {
  it('trains half as many steps again, whatever counted them before', async () => {
    const { app, changes, gone } = start();
    await anotherTry(app, 'r', 'steps');
    expect(gone).toEqual(['#draft/0123456789abcdef/train']);
    expect(changes).toEqual([{ ...recipe, steps: 180, epochs: null }]);
  });

  it('learns from more ordinary questions', async () => {
    const { app, changes, gone } = start();
    await anotherTry(app, 'r', 'ordinary');
    expect(gone).toEqual(['#draft/0123456789abcdef/learn']);
    expect(changes).toMatchObject([{ steps: 120, data: { mix: { ordinary: 0.85 } } }]);
  });

  it('with another model begins where one is chosen', async () => {
    const { app, changes, gone } = start();
    await anotherTry(app, 'r', 'model');
    expect(gone).toEqual(['#draft/0123456789abcdef/name']);
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
