// Recipe service: reads recipes from files and resources, applies --set, and refuses what this version cannot do.
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import type { PersonaInput } from '../../shared/persona.ts';
import { personaSchema } from '../../shared/persona.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import { readText } from '../disk.ts';
import type { Home } from '../home.ts';
import { isBuiltInAdapter, readShippedRecipe } from '../resources.ts';
import { isFileRef } from './model.ts';

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `key=value` with a dotted key; the value is JSON where it parses as such, else text. */
function applySetting(recipe: Json, setting: string): void {
  const at = setting.indexOf('=');
  const path = setting.slice(0, at).split('.');
  if (at <= 0 || path.some((part) => !/^[a-z][a-z_]*$/.test(part))) {
    throw new NamesakeError('usage.invalid', `--set ${setting} is not key=value`);
  }
  const text = setting.slice(at + 1);
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: a plain text such as a path.
  }
  let target = recipe;
  for (const part of path.slice(0, -1)) {
    const next = target[part];
    const made: Json = isObject(next) ? next : {};
    target[part] = made;
    target = made;
  }
  target[path.at(-1) as string] = value;
}

/** Checks a recipe value. Throws recipe.invalid saying where and what. */
export function checkRecipe(value: unknown): Recipe {
  const parsed = recipeSchema.safeParse(value);
  if (!parsed.success) throw new NamesakeError('recipe.invalid', z.prettifyError(parsed.error));
  return parsed.data;
}

function parseRecipe(text: string, path: string, settings: readonly string[]): Recipe {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new NamesakeError('recipe.unreadable', error instanceof Error ? error.message : String(error), { path });
  }
  if (!isObject(value)) throw new NamesakeError('recipe.invalid', 'it is not a JSON object');
  for (const setting of settings) applySetting(value, setting);
  return withAbsolutePaths(checkRecipe(value));
}

function withAbsolutePath(adapter: string | null): string | null {
  return adapter === null || isBuiltInAdapter(adapter) ? adapter : resolve(adapter);
}

/** A recipe whose paths no longer depend on the folder that the program was started in: a resumed run finds them too. */
function withAbsolutePaths(recipe: Recipe): Recipe {
  const { model, method, data, evaluate } = recipe;
  return {
    ...recipe,
    model: { ...model, ref: isFileRef(model.ref) ? resolve(model.ref) : model.ref },
    method: { ...method, init_adapter: withAbsolutePath(method.init_adapter) },
    data: { ...data, source: data.source === 'persona' ? data.source : resolve(data.source) },
    evaluate:
      evaluate === null || evaluate.questions === 'built-in' ? evaluate : { ...evaluate, questions: resolve(evaluate.questions) },
  };
}

/** A recipe file with `--set` applied; its relative paths start from the working folder. Throws recipe.unreadable or recipe.invalid. */
export function readRecipe(path: string, settings: readonly string[] = []): Recipe {
  return parseRecipe(readText(path, 'recipe.unreadable'), resolve(path), settings);
}

/** A shipped recipe for a persona. Throws recipe.unknown or persona.invalid. */
export function recipeForPersona(name: string, persona: PersonaInput, change: (recipe: Json) => void): Recipe {
  const checked = personaSchema.safeParse(persona);
  if (!checked.success) throw new NamesakeError('persona.invalid', z.prettifyError(checked.error));
  const value = JSON.parse(readShippedRecipe(name)) as Json;
  value['data'] = { ...(value['data'] as Json), persona: checked.data };
  value['name'] = `${checked.data.owner} · ${checked.data.name}`;
  change(value);
  return withAbsolutePaths(checkRecipe(value));
}

/**
 * Refuses a recipe that names a file which `known` does not name: what comes in through a window must not open files of this
 * machine. The adapters of the home's own runs may be named. Throws recipe.invalid.
 */
export function refuseNewPaths(recipe: Recipe, known: Recipe, home: Home): void {
  const ofRun = (path: string): boolean => dirname(dirname(path)) === home.runs && basename(path) === 'adapter';
  const { model, method, data, evaluate } = recipe;
  const named: [field: string, path: string | null, allowed: boolean][] = [
    ['model.ref', model.ref, model.ref === known.model.ref || !isFileRef(model.ref)],
    ['method.init_adapter', method.init_adapter, method.init_adapter === known.method.init_adapter || isBuiltInAdapter(method.init_adapter) || ofRun(resolve(method.init_adapter ?? ''))],
    ['data.source', data.source, data.source === known.data.source || data.source === 'persona'],
    ['data.format', data.format, data.format === known.data.format || data.format !== 'tokens'],
    ['evaluate.questions', evaluate?.questions ?? null, evaluate?.questions === known.evaluate?.questions || evaluate?.questions === 'built-in'],
  ];
  for (const [field, path, allowed] of named) {
    if (path !== null && !allowed) throw new NamesakeError('recipe.invalid', `${field}: a file cannot be named here`);
  }
}

/** Throws recipe.unsupported for fields whose engine part does not exist yet. */
export function refuseUnsupported(recipe: Recipe): void {
  const refused = [
    recipe.method.kind === 'full' && 'method.kind "full"',
    recipe.method.dropout > 0 && 'method.dropout above 0',
  ].filter((field) => field !== false);
  if (refused.length > 0) throw new NamesakeError('recipe.unsupported', refused.join(', '));
}
