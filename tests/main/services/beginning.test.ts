// How to begin with a model: by its size and by how it is stored, and what follows when a draft changes its model.
import { describe, expect, it } from 'vitest';
import { beginningOf, followModel, isQuantised, parametersOf, recipeOn, type Beginning } from '../../../main/services/beginning.ts';
import { loadCatalogue } from '../../../main/resources.ts';

const persona = { owner: 'Ann', name: 'Bo', languages: ['en' as const] };
/** InternLM2-chat-1.8B. */
const internlm = { hidden: 2048, layers: 24, heads: 16, kv_heads: 8, head_dim: 128, ffn: 8192, vocab: 92544, tied: false };
const small: Beginning = { recipe: 'smollm2_135m_qlora_identity', precision: 'as-stored' };
const middle: Beginning = { recipe: 'models_2b_qlora_identity', precision: 'nf4' };

describe('beginningOf', () => {
  it('counts parameters as the makers do', () => {
    expect(parametersOf({ ...internlm, file_bytes: 0 })).toBeCloseTo(1.8891e9, -6);
  });

  it('packs what is stored in 16 or 32 bits into 4, and leaves blocks of few bits alone', () => {
    const bytes = parametersOf({ ...internlm, file_bytes: 0 });
    expect(beginningOf({ ...internlm, file_bytes: 2 * bytes })).toEqual(middle);
    expect(beginningOf({ ...internlm, file_bytes: 4 * bytes })).toEqual(middle);
    // Eight bits with a scale for 32 of them.
    expect(beginningOf({ ...internlm, file_bytes: 1.07 * bytes })).toEqual({ ...middle, precision: 'as-stored' });
  });

  it('leaves a model as it is of which little is to be saved', () => {
    const tiny = { ...internlm, hidden: 576, layers: 30, heads: 9, kv_heads: 3, head_dim: 64, ffn: 1536, vocab: 49152, tied: true };
    expect(beginningOf({ ...tiny, file_bytes: 2 * 134.5e6 })).toEqual({ ...small, recipe: 'models_0b2_qlora_identity' });
  });

  it('knows which models of the catalogue are quantised, and each as large as its recipe is for', () => {
    for (const { id, file, shape, size_bytes, recipe } of loadCatalogue().models) {
      const model = { ...shape, file_bytes: size_bytes };
      // Folders hold 16 bits a value.
      expect(isQuantised(model), id).toBe(file !== '');
      // The default model alone begins from an adapter that comes along, which is of use to no other.
      const ofSize = id === loadCatalogue().default ? 'models_0b2_qlora_identity' : recipe;
      expect(beginningOf(model), id).toEqual({ recipe: ofSize, precision: file === '' ? 'nf4' : 'as-stored' });
    }
  });
});

describe('followModel', () => {
  const before = recipeOn('a', small, persona);

  it('takes the new model’s settings where nobody changed them', () => {
    const moved = { ...before, model: { ...before.model, ref: 'b' } };
    expect(followModel(moved, small, middle)).toEqual(recipeOn('b', middle, persona));
  });

  it('leaves the adapter that it began from, and takes it up again', () => {
    const moved = followModel({ ...before, model: { ...before.model, ref: 'b' } }, small, middle);
    expect([before.method.init_adapter, moved.method.init_adapter]).toEqual(['built-in:smollm2_135m_identity', null]);
    expect(followModel({ ...moved, model: { ...moved.model, ref: 'a' } }, middle, small)).toEqual(before);
  });

  it.each([{ rank: 8 }, { alpha: 8 }, { layers: 6 }])('has that adapter’s size, although somebody had set %j', (set) => {
    const begun = recipeOn('b', middle, persona);
    const moved = { ...begun, model: { ...begun.model, ref: 'a' }, method: { ...begun.method, ...set } };
    expect(followModel(moved, middle, small).method).toEqual(before.method);
  });

  it('has no model’s number of layers in another where only the rank was changed', () => {
    const fresh: Beginning = { recipe: 'models_0b2_qlora_identity', precision: 'as-stored' };
    const begun = recipeOn('a', fresh, persona);
    const moved = { ...begun, model: { ...begun.model, ref: 'b' }, method: { ...begun.method, rank: 8 } };
    expect(begun.method.layers).toBe(20);
    expect(followModel(moved, fresh, middle).method).toEqual({ ...recipeOn('b', middle, persona).method, rank: 8 });
  });

  it('keeps what somebody set', () => {
    const moved = { ...before, model: { ref: 'b', precision: 'bf16' as const }, steps: 7, optim: { ...before.optim, lr: 0.01 }, evaluate: null };
    expect(followModel(moved, small, middle)).toMatchObject({ model: { ref: 'b', precision: 'bf16' }, steps: 7, optim: { lr: 0.01 }, evaluate: null, method: recipeOn('b', middle, persona).method });
  });
});
