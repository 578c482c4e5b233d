// Run diff: in which fields two runs' recipes and origins differ.
import { isDeepStrictEqual } from 'node:util';
import type { Recipe } from '../../shared/recipe.ts';
import type { RunDifference } from '../../shared/run.ts';
import type { RunFolder } from '../home.ts';
import { isPrepared, readProvenance } from './provenance.ts';

/** What provenance.json says beyond the recipe. */
const ORIGIN = ['namesake', 'node', 'addon_sha256', 'platform', 'model.sha256', 'rows_sha256', 'init_sha256', 'engine.backend', 'engine.isa', 'engine.threads', 'engine.card.name', 'engine.card.driver'];

/** The fields of nested objects by dotted names; arrays are values. */
function fields(value: unknown, name = '', found = new Map<string, unknown>()): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return found.set(name, value);
  for (const [key, inner] of Object.entries(value)) fields(inner, name === '' ? key : `${name}.${key}`, found);
  return found;
}

/** Fields in which two values differ, in the first one's order; null stands for one that is not there. */
function differences(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): RunDifference[] {
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((field) => {
    const pair = { a: a.get(field) ?? null, b: b.get(field) ?? null };
    return isDeepStrictEqual(pair.a, pair.b) ? [] : [{ field, ...pair }];
  });
}

/** Origin of a run; nothing where it never came to that. Throws checkpoint.invalid where provenance.json is damaged. */
function origin(folder: RunFolder): Map<string, unknown> {
  if (!isPrepared(folder)) return new Map();
  const all = fields(readProvenance(folder));
  return new Map(ORIGIN.map((name) => [`provenance.${name}`, all.get(name)]));
}

export interface ComparedRun {
  recipe: Recipe;
  folder: RunFolder;
}

/** Recipe fields by their dotted names, then what the runs were made from under `provenance.`. Throws checkpoint.invalid. */
export function runDifferences(a: ComparedRun, b: ComparedRun): RunDifference[] {
  return [...differences(fields(a.recipe), fields(b.recipe)), ...differences(origin(a.folder), origin(b.folder))];
}
