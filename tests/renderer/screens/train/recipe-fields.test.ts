// Every field of a recipe is shown, explained in both languages, and typed within the bounds that the recipe itself has.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { refuseUnsupported } from '../../../../main/services/recipe.ts';
import {
  conflict, fieldGroups, fieldOf, fieldPaths, groupOf, parseEntry, plainPaths, textOf, valueAt, withValue, type Field, type FieldPath,
} from '../../../../renderer/screens/train/recipe-fields.ts';
import { translate } from '../../../../shared/i18n/translate.ts';
import { recipeSchema } from '../../../../shared/recipe.ts';

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  enum?: string[];
  const?: unknown;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
}

/** Fields whose parts are said together: by language, by kind, or who it is. */
const wholes = ['data.persona', 'data.mix.languages', 'data.mix.identity_languages', 'loss.by_kind', 'loss.opening'];

/** The leaves of the recipe's own schema, by dotted path. */
function leaves(schema: Schema, path = ''): [string, Schema][] {
  const inner = schema.anyOf?.length === 2 && schema.anyOf[1]?.type === 'null' ? (schema.anyOf[0] ?? schema) : schema;
  if (inner.properties === undefined || wholes.includes(path)) return [[path, schema]];
  return Object.entries(inner.properties).flatMap(([key, value]) => leaves(value, path === '' ? key : `${path}.${key}`));
}

const known = new Map(leaves(z.toJSONSchema(recipeSchema, { io: 'input' }) as Schema));
const recipe = recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } } });

test('every field of the recipe is there, and no other', () => {
  expect(known.size).toBeGreaterThan(40);
  expect([...fieldPaths].sort()).toEqual([...known.keys()].sort());
});

test('every field is explained in one line, in both languages', () => {
  for (const language of ['zh', 'en'] as const) {
    for (const path of fieldPaths) {
      expect(translate(language, `field.${path}`).length).toBeGreaterThan(1);
      const why = translate(language, `why.${path}`);
      expect(why).not.toContain('\n');
      expect(why.length).toBeGreaterThan(4);
      expect(why.length).toBeLessThan(130);
    }
    for (const group of fieldGroups) expect(translate(language, `fields.${group}`).length).toBeGreaterThan(2);
  }
});

test('every field is in one group, and every group has some', () => {
  expect(new Set(fieldPaths.map(groupOf))).toEqual(new Set(fieldGroups));
  expect(plainPaths.every((path) => fieldPaths.includes(path))).toBe(true);
});

describe('the bounds of a field are the recipe’s', () => {
  const numbers = fieldPaths.filter((path) => ['whole', 'number'].includes(fieldOf(path, recipe).kind));
  test.each(numbers)('%s', (path) => {
    const schema = known.get(path) as Schema;
    const own = fieldOf(path, recipe) as Extract<Field, { kind: 'whole' | 'number' }>;
    const inner = schema.anyOf?.[0] ?? schema;
    expect(own.kind).toBe(inner.type === 'integer' ? 'whole' : 'number');
    expect(own.nullable ?? false).toBe(schema.anyOf?.[1]?.type === 'null');
    expect(own.least).toBe(inner.minimum);
    expect(own.above).toBe(inner.exclusiveMinimum);
    expect(own.most ?? Number.MAX_SAFE_INTEGER).toBe(inner.maximum ?? Number.MAX_SAFE_INTEGER);
  });
});

test('the size of an adapter that training begins from cannot be changed', () => {
  const begun = withValue(recipe, 'method.init_adapter', 'built-in:smollm2_135m_identity');
  for (const path of ['method.rank', 'method.alpha', 'method.layers'] as const) {
    expect(fieldOf(path, recipe).kind).not.toBe('fixed');
    expect(fieldOf(path, begun).kind).toBe('fixed');
  }
  expect(fieldOf('steps', begun)).toEqual(fieldOf('steps', recipe));
});

describe('choices', () => {
  test.each(fieldPaths.filter((path) => fieldOf(path, recipe).kind === 'choice'))('of %s are all that this version can do', (path) => {
    const { options } = fieldOf(path, recipe) as Extract<Field, { kind: 'choice' }>;
    const schema = known.get(path) as Schema;
    const usable = (schema.enum ?? schema.anyOf?.flatMap((one) => one.enum ?? (one.const === undefined ? [] : [one.const])))?.filter((option) => {
      try {
        refuseUnsupported(withValue(recipe, path, option));
        return true;
      } catch {
        return false;
      }
    });
    expect([...options].sort()).toEqual([...(usable ?? [])].sort());
  });
});

describe('what is typed', () => {
  const typed = (path: FieldPath, text: string): unknown => parseEntry(fieldOf(path, recipe), text);

  test('becomes the value, and the value is shown as it is typed', () => {
    expect(typed('steps', ' 120 ')).toEqual({ value: 120 });
    expect(typed('optim.lr', '2e-3')).toEqual({ value: 0.002 });
    expect(typed('optim.clip', '')).toEqual({ value: null });
    expect(typed('optim.betas', '[0.9, 0.99]')).toEqual({ value: [0.9, 0.99] });
    for (const path of fieldPaths) {
      const field = fieldOf(path, recipe);
      if (field.kind === 'switch' || field.kind === 'fixed') continue;
      expect([path, parseEntry(field, textOf(valueAt(recipe, path)))]).toEqual([path, { value: valueAt(recipe, path) }]);
    }
  });

  test('and cannot be used says what is wrong with it', () => {
    const wrong = (path: FieldPath, text: string): unknown => (typed(path, text) as { wrong?: string }).wrong;
    expect(['', 'many', '1.5', '0', '1000001'].map((text) => wrong('steps', text))).toEqual(['entry.number', 'entry.number', 'entry.whole', 'entry.least', 'entry.most']);
    expect(['0', '-1', '1.1'].map((text) => wrong('optim.lr', text))).toEqual(['entry.above', 'entry.above', 'entry.most']);
    expect(wrong('optim.betas', '0.9, 0.99')).toBe('entry.json');
    expect(wrong('device', 'gpu')).toBe('entry.choice');
    expect(wrong('optim.state_bits', '16')).toBe('entry.choice');
  });
});

test('a value is put at its path, and nothing else changes', () => {
  const changed = withValue(recipe, 'optim.lr', 0.5);
  expect(valueAt(changed, 'optim.lr')).toBe(0.5);
  expect(withValue(changed, 'optim.lr', recipe.optim.lr)).toEqual(recipe);
  expect(valueAt(recipe, 'optim.lr')).toBe(1e-3);
  expect(valueAt({ ...recipe, evaluate: null }, 'evaluate.every_steps')).toBeUndefined();
});

test('a batch that the longest conversation does not fit into is told where the recipe refuses it', () => {
  for (const batch_tokens of [511, 512]) {
    const changed = { ...recipe, batch_tokens };
    expect(conflict(changed) === null).toBe(recipeSchema.safeParse(changed).success);
  }
});
