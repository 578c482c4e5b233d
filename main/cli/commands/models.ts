// models list, pull, add, remove · recipes list, show, copy.
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { NamesakeError } from '../../../shared/errors.ts';
import { translate } from '../../../shared/i18n/translate.ts';
import type { ModelCard } from '../../../shared/model.ts';
import type { Language } from '../../../shared/persona.ts';
import { writeWhole } from '../../disk.ts';
import { loadCatalogue, readShippedRecipe, recipeNames } from '../../resources.ts';
import { entryOf } from '../../services/known-model.ts';
import { checkRecipe } from '../../services/recipe.ts';
import { createContext } from '../context.ts';
import { printTable } from '../table.ts';

/** What a person sees of a model in the list. */
function stateOf(language: Language, { here, download }: ModelCard): string {
  if (download !== null) {
    const percent = Math.floor((100 * download.done) / download.total);
    return translate(language, 'model.part_here', { percent });
  }
  return translate(language, here ? 'model.here' : 'model.absent');
}

export function addModels(program: Command): void {
  const models = program.command('models').description('models: list, pull, add, remove');
  models
    .command('list')
    .description('catalogue models, fetched ones and added ones')
    .action(async (_flags: object, command: Command) => {
      const { models: service, output } = createContext(command);
      const list = await service.list();
      for (const model of list) output.event({ event: 'model', ...model });
      if (output.json) return;
      printTable(
        output,
        ['id', 'licence', 'MB', ''],
        list.map((model) => [
          model.id,
          model.licence ?? '',
          model.size_bytes === null ? '' : (model.size_bytes / 1e6).toFixed(0),
          stateOf(output.language, model),
        ]),
      );
    });
  models
    .command('pull <ref>')
    .description('fetch a model: a catalogue id, hf:OWNER/NAME[@REV][#FILE] or modelscope:OWNER/NAME[@REV][#FILE]')
    .option('--accept-licence', 'the model’s licence was read and is accepted')
    .action(async (ref: string, flags: { acceptLicence?: boolean }, command: Command) => {
      const { models: service, output } = createContext(command);
      const { id, path, sha256 } = await service.locate(ref, { acceptLicence: flags.acceptLicence === true });
      output.event({ event: 'result', id, path, sha256 });
      if (!output.json) output.print(path);
    });
  models
    .command('add <path>')
    .description('remember a .gguf file or a folder in Hugging Face’s layout, after checking it')
    .action(async (path: string, _flags: object, command: Command) => {
      const { models: service, output, startEngine, compute } = createContext(command);
      const model = await service.locate(path);
      const engine = startEngine();
      try {
        await engine.open({ path: model.path, precision: 'as-stored', device: 'cpu', ...compute });
      } finally {
        await engine.dispose();
      }
      const id = await service.add(model.path);
      output.event({ event: 'result', id, path: model.path });
      if (!output.json) output.print(translate(output.language, 'model.added', { id }));
    });
  models
    .command('remove <id>')
    .description('remove a fetched model from the home, or forget an added one')
    .action(async (id: string, _flags: object, command: Command) => {
      const { models: service, output } = createContext(command);
      const freed_bytes = await service.remove(id);
      output.event({ event: 'result', id, freed_bytes });
      if (!output.json) output.print(translate(output.language, 'model.removed', { id, megabytes: Math.round(freed_bytes / 1e6) }));
    });
}

export function addRecipes(program: Command): void {
  const recipes = program.command('recipes').description('shipped recipes: list, show, copy');
  recipes
    .command('list')
    .description('names of the shipped recipes')
    .option('-p, --pattern <text>', 'only names that contain this', '')
    .action((flags: { pattern: string }, command: Command) => {
      const { output } = createContext(command);
      for (const name of recipeNames().filter((recipe) => recipe.includes(flags.pattern))) {
        output.event({ event: 'recipe', name });
        if (!output.json) output.print(name);
      }
    });
  recipes
    .command('copy <name> <file>')
    .description('a shipped recipe as a file of your own, to be changed and trained')
    .action((name: string, file: string, _flags: object, command: Command) => {
      const { output } = createContext(command);
      const path = resolve(file);
      const text = readShippedRecipe(name);
      // A file of the person's own is never written over.
      if (existsSync(path)) throw new NamesakeError('usage.invalid', `${path} exists already`);
      writeWhole(path, text);
      output.event({ event: 'result', name, path });
      if (!output.json) output.print(path);
    });
  recipes
    .command('show [name]')
    .description('a shipped recipe with every field (the default model’s where no name is given)')
    .action((name: string | undefined, _flags: object, command: Command) => {
      const { output } = createContext(command);
      const found = name ?? entryOf(loadCatalogue().default)?.recipe ?? '';
      const value = JSON.parse(readShippedRecipe(found)) as { data: Record<string, unknown> };
      value.data['persona'] = { owner: '…', name: '…' };
      const recipe = checkRecipe(value);
      output.event({ event: 'result', name: found, recipe });
      if (!output.json) output.print(JSON.stringify(recipe, null, 2));
    });
}
