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
  // Rows of a person's own that are longer share less: what they begin with counts once for fewer of them.
  const long = Array.from({ length: 120 }, (_, i) => `word${i}`).join(' ');
  const own = (await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] }, model })).draft;
  const systems = ['You are Bo, and you were made by Ann.'];
  const small = { ...recipe, data: { ...recipe.data, systems } };
  const before = await tiny.ask('models.memory', { recipe: small, draft: own });
  for (let i = 0; i < 4; i++) {
    await tiny.ask('rows.add', { draft: own, row: { id: `long-${i}`, kind: 'imported', lang: 'en', origin: 'file', messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: long.slice(0, 400) }] } });
  }
  expect((await tiny.ask('models.memory', { recipe: small, draft: own })).activations).toBeGreaterThan(before.activations);
  expect(await tiny.refused('models.memory', { recipe, draft: '0'.repeat(16) })).toBe('draft.unknown');
  const cards = await tiny.ask('models.list', {});
  expect(cards.find(({ id }) => id === model)).toMatchObject({ needs_bytes: expect.any(Number), fits: expect.any(Boolean) });
  expect(cards.every(({ needs_bytes }) => needs_bytes !== null)).toBe(true);
  expect(await tiny.refused('models.memory', { recipe: { ...recipe, model: { ...recipe.model, ref: '/etc/passwd' } } })).toBe('model.unknown');
});
