// models list, pull, add · recipes list, show · doctor.
import type { Command } from 'commander';
import { translate } from '../../../shared/i18n/translate.ts';
import { packageVersion, readShippedRecipe, recipeNames } from '../../resources.ts';
import { checkRecipe } from '../../services/recipe.ts';
import { createContext } from '../context.ts';
import { printTable } from '../table.ts';

export function addModels(program: Command): void {
  const models = program.command('models').description('models: list, pull, add');
  models
    .command('list')
    .description('catalogue models and added files')
    .action(async (_flags: object, command: Command) => {
      const { models: service, output } = createContext(command);
      const list = await service.list();
      for (const model of list) output.event({ event: 'model', ...model });
      if (output.json) return;
      printTable(
        output,
        ['id', 'licence', 'MB', ''],
        list.map(({ id, licence, size_bytes, here }) => [
          id,
          licence ?? '',
          size_bytes === null ? '' : (size_bytes / 1e6).toFixed(0),
          translate(output.language, here ? 'model.here' : 'model.absent'),
        ]),
      );
    });
  models
    .command('pull <ref>')
    .description('fetch a catalogue model')
    .action(async (ref: string, _flags: object, command: Command) => {
      const { models: service, output } = createContext(command);
      const { id, path, sha256 } = await service.locate(ref);
      output.event({ event: 'result', id, path, sha256 });
      if (!output.json) output.print(path);
    });
  models
    .command('add <path>')
    .description('remember a .gguf file, after checking it')
    .action(async (path: string, _flags: object, command: Command) => {
      const { models: service, output, startEngine, compute } = createContext(command);
      const model = await service.locate(path);
      const engine = startEngine();
      try {
        await engine.open({ path: model.path, precision: 'as-stored', device: 'auto', ...compute });
      } finally {
        await engine.dispose();
      }
      const id = service.add(model.path);
      output.event({ event: 'result', id, path: model.path });
      if (!output.json) output.print(translate(output.language, 'model.added', { id }));
    });
}

export function addRecipes(program: Command): void {
  const recipes = program.command('recipes').description('shipped recipes: list, show');
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
    .command('show [name]')
    .description('a shipped recipe with every field (the first one where no name is given)')
    .action((name: string | undefined, _flags: object, command: Command) => {
      const { output } = createContext(command);
      const found = name ?? recipeNames()[0] ?? '';
      const value = JSON.parse(readShippedRecipe(found)) as { data: Record<string, unknown> };
      value.data['persona'] = { owner: '…', name: '…' };
      const recipe = checkRecipe(value);
      output.event({ event: 'result', name: found, recipe });
      if (!output.json) output.print(JSON.stringify(recipe, null, 2));
    });
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what works on this machine, and what does not')
    .action(async (_flags: object, command: Command) => {
      const { output, home, models, startEngine } = createContext(command);
      const engine = startEngine();
      try {
        const { language } = output;
        const model = (await models.list()).find(({ id }) => id === models.default);
        // Words come as they are known: where there is no engine, what is there has been said before its error.
        if (!output.json) {
          output.print(`Namesake ${packageVersion()}`);
          output.print(translate(language, 'doctor.node', { version: process.versions.node }));
          output.print(translate(language, 'doctor.home', { path: home.folder }));
          output.print(
            model?.here ? translate(language, 'doctor.model', { path: model.path }) : translate(language, 'doctor.model_absent'),
          );
        }
        const about = await engine.about();
        const checks = {
          namesake: packageVersion(),
          node: process.versions.node,
          home: home.folder,
          addon: about.addon,
          isa: about.isa,
          default_model: { id: models.default, here: model?.here ?? false, path: model?.path ?? '' },
        };
        output.event({ event: 'result', ...checks });
        if (!output.json) output.print(translate(language, 'doctor.engine', { isa: about.isa.auto ?? '—' }));
      } finally {
        await engine.dispose();
      }
    });
}
