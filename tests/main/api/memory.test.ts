// What making an assistant takes, asked through the API: of models that the home knows, never of a file by its path.
import { expect, it } from 'vitest';
import { addTinyModel, tinyApi } from '../../support/tiny-api.ts';

it('rows that are too many, or steps that are too large, to be looked at count as if they shared nothing', async () => {
  const tiny = tinyApi();
  const model = await addTinyModel(tiny);
  const systems = ['You are Bo, and you were made by Ann.'];
  const { recipe: made } = await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] }, model });
  const recipe = { ...made, data: { ...made.data, systems } };
  const shared = await tiny.core.memory.ofRecipe(recipe);
  const nobody = { version: '', count: 20_001, make: () => expect.fail('the rows were made') };
  const apart = await tiny.core.memory.ofRecipe(recipe, nobody);
  expect(apart.activations).toBeGreaterThan(shared.activations);
  const large = { ...recipe, batch_tokens: 65_536, accumulate: 1024 };
  const unknown = await tiny.core.memory.ofRecipe(large, nobody);
  expect((await tiny.core.memory.ofRecipe(large)).activations).toBe(unknown.activations);
  expect((await tiny.core.memory.ofRecipe({ ...large, accumulate: 1 })).activations).toBeLessThan(unknown.activations);
});

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

it('fewer layers take less, but for a run that goes on from an adapter, which has its own', async () => {
  const tiny = tinyApi();
  const model = await addTinyModel(tiny);
  const { recipe } = await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] }, model });
  const plan = (method: Partial<typeof recipe.method>): Promise<{ optimizer: number }> => tiny.core.memory.ofRecipe({ ...recipe, method: { ...recipe.method, ...method } });
  const { optimizer: all } = await plan({ layers: null });
  expect((await plan({ layers: 1 })).optimizer).toBe(all / 2);
  expect((await plan({ layers: 1, init_adapter: '/any' })).optimizer).toBe(all);
  // One that comes along has the recipe's.
  expect((await plan({ layers: 1, init_adapter: 'built-in:smollm2_135m_identity' })).optimizer).toBe(all / 2);
});
