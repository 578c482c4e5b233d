// The warm start: whose names it learns from, and the form in which its adapter is shipped.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCatalogue, recipeNames, readShippedRecipe } from '../../main/resources.ts';
import { builtInShape } from '../../main/services/built-in-adapter.ts';
import { personaSchema } from '../../shared/persona.ts';
import { recipeSchema } from '../../shared/recipe.ts';
import { inventPersonas } from '../../tools/warm-start/personas.ts';
import { ordinaryRows, rowsOfPersonas, SEED } from '../../tools/warm-start/rows.ts';
import { writeBf16 } from '../../tools/warm-start/safetensors.ts';
import { temporaryFolder } from '../support/files.ts';

describe('invented personas', () => {
  const personas = inventPersonas(600, 1);

  it('are ones that a person may type, in each of the three ways, and seldom the same', () => {
    for (const persona of personas) expect(personaSchema.safeParse(persona).success).toBe(true);
    expect(personas.filter(({ owner_en }) => owner_en !== undefined).length).toBe(200);
    expect(personas.filter(({ owner }) => /^[A-Z]/.test(owner)).length).toBe(200);
    expect(new Set(personas.map(({ owner, name }) => `${owner}/${name}`)).size).toBeGreaterThan(590);
  });

  it('are the same for the same seed', () => {
    expect(inventPersonas(30, 1)).toEqual(personas.slice(0, 30));
    expect(inventPersonas(30, 2)).not.toEqual(personas.slice(0, 30));
  });

  it('are none of those that the published table measures', () => {
    const measured = new Set(['剑锋大佬', '小锋', '陈小明', '墨墨', 'Chen Xiaoming', 'Momo', 'Maria', 'Piggy']);
    for (const seed of [1, SEED]) {
      for (const { owner, name, owner_en, name_en } of inventPersonas(1000, seed)) {
        for (const one of [owner, name, owner_en, name_en]) expect(measured.has(one ?? '')).toBe(false);
      }
    }
  });
});

describe('rows', () => {
  it('about personas are a few of each and language, and each is there once', () => {
    const rows = rowsOfPersonas();
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.filter(({ id }) => id.endsWith('-of-7')).map(({ lang }) => lang)).toEqual([...Array<string>(6).fill('zh'), ...Array<string>(6).fill('en')]);
    expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(['identity', 'negative']));
  });

  it('without a name: look-alikes of weak languages are answered in writing, all else by the base', () => {
    const rows = ordinaryRows(['zh']);
    const origins = (lang: string, kind: string): Set<string> => new Set(rows.filter((row) => row.lang === lang && row.kind === kind).map(({ origin }) => origin));
    expect(origins('zh', 'ordinary')).toEqual(new Set(['base']));
    expect(origins('zh', 'near_miss')).toContain('written');
    expect(origins('en', 'ordinary')).toEqual(new Set(['base']));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });
});

describe('writeBf16', () => {
  const write = (dtype: string, values: Float32Array): string => {
    const header = JSON.stringify({ __metadata__: { format: 'pt' }, a: { dtype, shape: [values.length], data_offsets: [0, values.byteLength] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const path = join(temporaryFolder(), 'a.safetensors');
    writeFileSync(path, Buffer.concat([length, Buffer.from(header), Buffer.from(values.buffer)]));
    return path;
  };

  it('rounds to the nearest value of 16 bits, ties to even, and begins the data at eight bytes', () => {
    const to = join(temporaryFolder(), 'half.safetensors');
    writeBf16(write('F32', Float32Array.from([1, -0.5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.3895e38, 2 ** -133, 0])), to);
    const file = readFileSync(to);
    const start = 8 + Number(file.readBigUInt64LE());
    expect(start % 8).toBe(0);
    expect(JSON.parse(file.toString('utf8', 8, start))).toEqual({ a: { dtype: 'BF16', shape: [7], data_offsets: [0, 14] } });
    const bits = Array.from({ length: 7 }, (_, i) => file.readUInt16LE(start + 2 * i));
    expect(bits).toEqual([0x3f80, 0xbf00, 0x3f80, 0x3f82, 0x7f7f, 0x0001, 0x0000]);
  });

  it('refuses tensors of another type', () => {
    expect(() => { writeBf16(write('I32', new Float32Array(1)), join(temporaryFolder(), 'half')); }).toThrow('a is I32'); // prettier-ignore
  });
});

it('what recipes begin from comes along, with the size that they say and no more layers than the model has', () => {
  const begun = recipeNames().flatMap((name) => {
    const { model, method } = recipeSchema.parse({ ...(JSON.parse(readShippedRecipe(name)) as object), data: { persona: { owner: 'a', name: 'b' } } });
    return method.init_adapter === null ? [] : [{ model, method }];
  });
  expect(begun.length).toBeGreaterThan(0);
  for (const { model, method } of begun) {
    const { rank, alpha, layers } = builtInShape(method.init_adapter ?? '');
    expect(method).toMatchObject({ rank, alpha, layers });
    expect(layers).toBeLessThanOrEqual(loadCatalogue().models.find(({ id }) => id === model.ref)?.shape.layers ?? 0);
  }
});
