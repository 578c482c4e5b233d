// What making an assistant takes, asked through the API: of models that the home knows, never of a file by its path.
import { expect, it } from 'vitest';
import { addTinyModel, tinyApi } from '../../support/tiny-api.ts';

it('a recipe has a budget, and every model of the list a need', async () => {
  const tiny = tinyApi();
  const model = await addTinyModel(tiny);
  const { recipe } = await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] }, model });
  const budget = await tiny.ask('models.memory', { recipe });
  expect(budget.total).toBeGreaterThan(1_000_000);
  expect(budget.fits).toBe(budget.total <= budget.available);
  const cards = await tiny.ask('models.list', {});
  expect(cards.find(({ id }) => id === model)).toMatchObject({ needs_bytes: expect.any(Number), fits: expect.any(Boolean) });
  expect(cards.every(({ needs_bytes }) => needs_bytes !== null)).toBe(true);
  expect(await tiny.refused('models.memory', { recipe: { ...recipe, model: { ...recipe.model, ref: '/etc/passwd' } } })).toBe('model.unknown');
});
