// An adapter that comes along fits one model, in one size.
import { describe, expect, it } from 'vitest';
import { loadCatalogue } from '../../../main/resources.ts';
import { refuseOtherModel, refuseOtherShape } from '../../../main/services/built-in-adapter.ts';
import { recipeForPersona } from '../../../main/services/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { tinyHome } from '../../support/tiny-home.ts';
import { tinyModel } from '../../support/tiny-run.ts';

const shipped = 'built-in:smollm2_135m_identity';

describe('a recipe that begins from an adapter that comes along', () => {
  const begun = recipeForPersona('smollm2_135m_qlora_identity', { owner: 'a', name: 'b' }, () => undefined);

  it('has its rank, alpha and layers', () => {
    expect(begun.method.init_adapter).toBe(shipped);
    expect(() => { refuseOtherShape(begun); }).not.toThrow(); // prettier-ignore
  });

  it.each(['rank', 'alpha', 'layers'])('is refused with another %s', (field) => {
    const error = thrownBy(() => { refuseOtherShape({ ...begun, method: { ...begun.method, [field]: 7 } }); }); // prettier-ignore
    expect(error.code).toBe('recipe.invalid');
    expect(error.detail).toContain(`method.${field}`);
  });

  it.each(['built-in:none', 'built-in:', 'built-in:..', 'built-in:../recipes'])('is refused where %s does not come along', (init_adapter) => {
    const error = thrownBy(() => { refuseOtherShape({ ...begun, method: { ...begun.method, init_adapter } }); }); // prettier-ignore
    expect([error.code, error.detail]).toEqual(['recipe.invalid', expect.stringContaining(init_adapter)]);
  });

  it('may have any where it begins from a folder, whose adapter has its own', () => {
    expect(() => { refuseOtherShape({ ...begun, method: { ...begun.method, init_adapter: '/any', rank: 7 } }); }).not.toThrow(); // prettier-ignore
  });

  it('is for the model that the adapter was made on, and no other of its shape', () => {
    const made = loadCatalogue().models.find(({ id }) => id === begun.model.ref);
    expect(() => { refuseOtherModel(begun, { sha256: made?.sha256 ?? '', path: '/any' }); }).not.toThrow(); // prettier-ignore
    const error = thrownBy(() => { refuseOtherModel(begun, { sha256: 'f00', path: '/another.gguf' }); }); // prettier-ignore
    expect([error.code, error.detail]).toEqual(['adapter.mismatch', expect.stringContaining('/another.gguf')]);
    const fresh = { ...begun, method: { ...begun.method, init_adapter: null } };
    expect(() => { refuseOtherModel(fresh, { sha256: 'f00', path: '/another.gguf' }); }).not.toThrow(); // prettier-ignore
  });

  it('leaves no run where it is refused', async () => {
    const { runs, store, onEvent } = tinyHome();
    const other = { ...begun, method: { ...begun.method, rank: 8 } };
    await expect(runs.start(other, { threads: 1, isa: 'auto' }, onEvent)).rejects.toMatchObject({ code: 'recipe.invalid' });
    expect(store.list()).toEqual([]);
  });

  it('fails on another model before the base is asked anything', async () => {
    const { runs, events, onEvent } = tinyHome();
    const other = { ...begun, model: { ...begun.model, ref: tinyModel } };
    await expect(runs.start(other, { threads: 1, isa: 'auto' }, onEvent)).rejects.toMatchObject({ code: 'adapter.mismatch' });
    expect(events.some((event) => event.event === 'phase' && event.phase === 'asking')).toBe(false);
  });
});
