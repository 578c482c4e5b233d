// Resources: the files beside the program (wizard words, probes, recipes, catalogue), read and checked.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { NamesakeError } from '../shared/errors.ts';
import { catalogueSchema, type CatalogueModel } from '../shared/model.ts';
import { languages, type Language } from '../shared/persona.ts';
import { probeSetSchema, type ProbeSets } from './pipeline/probes.ts';
import { wizardSchema, writtenQuestionSchema, type LanguageResources } from './pipeline/wizard.ts';

/** The package's root: the nearest folder above this file that holds resources/. The same in a checkout and in the package. */
function findRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'resources', 'models.json'))) return folder;
    if (dirname(folder) === folder) throw new NamesakeError('internal', 'the resources folder is missing');
  }
}

/** Where package.json, resources and the program lie. */
export const packageRoot = findRoot();
const folder = join(packageRoot, 'resources');

export function packageVersion(): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))).version;
}

function readJson<T>(schema: z.ZodType<T>, ...path: string[]): T {
  return schema.parse(JSON.parse(readFileSync(join(folder, ...path), 'utf8')));
}

/** Wizard words and ordinary questions of every language. */
export function loadLanguages(): LanguageResources[] {
  return languages.map((language) => ({
    language,
    wizard: readJson(wizardSchema, 'wizard', `${language}.json`),
    ordinary: readFileSync(join(folder, 'ordinary', `${language}.jsonl`), 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => writtenQuestionSchema.parse(JSON.parse(line))),
  }));
}

/** `choose` decides which checkpoint is kept, `report` gives published figures. */
export function loadProbes(purpose: 'choose' | 'report'): ProbeSets {
  return Object.fromEntries(
    languages.map((language) => [language, readJson(probeSetSchema, 'probes', purpose, `${language}.json`)]),
  );
}

/** What an adapter that comes along is named by, before its name. */
const BUILT_IN = 'built-in:';

/** Whether a recipe's init_adapter is one that comes along, not a folder of this machine. */
export function isBuiltInAdapter(ref: string | null): ref is string {
  return ref?.startsWith(BUILT_IN) === true;
}

/** The folder of an adapter that comes along ("built-in:NAME"), in PEFT's layout. Throws recipe.invalid where there is none. */
export function builtInAdapter(ref: string): string {
  const name = ref.slice(BUILT_IN.length);
  // Only one of those names leads anywhere: a name is no path.
  if (!readdirSync(join(folder, 'adapters')).includes(name)) throw new NamesakeError('recipe.invalid', `method.init_adapter: no adapter ${ref} comes along`);
  return join(folder, 'adapters', name);
}

/** Questions that are shown before and after. */
export function loadShowcase(shown: readonly Language[]): { language: Language; question: string }[] {
  const showcase = readJson(z.record(z.string(), z.array(z.string())), 'probes', 'showcase.json');
  return shown.flatMap((language) => (showcase[language] ?? []).map((question) => ({ language, question })));
}

export function loadCatalogue(): { default: string; models: CatalogueModel[] } {
  return readJson(catalogueSchema, 'models.json');
}

/** Names of the shipped recipes. */
export function recipeNames(): string[] {
  return readdirSync(join(folder, 'recipes'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/** The text of a shipped recipe. Throws recipe.unknown. */
export function readShippedRecipe(name: string): string {
  if (!recipeNames().includes(name)) throw new NamesakeError('recipe.unknown', name, { name });
  return readFileSync(join(folder, 'recipes', `${name}.json`), 'utf8');
}
