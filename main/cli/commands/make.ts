// make, train, runs resume: everything that trains.
import { Option, type Command } from 'commander';
import { join } from 'node:path';
import type { OnRunEvent, RunResult } from '../../../shared/run-events.ts';
import { translate } from '../../../shared/i18n/translate.ts';
import { precisions, type Recipe } from '../../../shared/recipe.ts';
import { writeWhole } from '../../disk.ts';
import { recipeOn } from '../../services/beginning.ts';
import { readRecipe } from '../../services/recipe.ts';
import { createContext, type Context } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { interruptible } from '../interrupt.ts';
import { wholeNumber } from '../number-option.ts';
import { personaFrom, withPersonaOptions, type PersonaFlags } from '../persona-options.ts';
import { runReporter } from '../run-report.ts';

/** The result object of `make`; `train` and `runs resume` print the shorter one. */
function madeResult(result: RunResult): object {
  const { run, adapter, chosen_step, steps, right, scores, before, after, seconds, missed } = result;
  return { run, adapter, chosen_step, steps, right: right === true, missed, scores, before, after, seconds };
}

function trainedResult(result: RunResult): object {
  const { run, adapter, steps, tokens, chosen_step, right, scores } = result;
  return { run, adapter, steps, tokens, chosen_step, right, scores };
}

/** Trains with Ctrl-C as stop-and-keep (exit code 130). Returns the result. */
async function train(
  context: Context,
  steps: number,
  pickResult: (result: RunResult) => object,
  start: (onEvent: OnRunEvent) => Promise<RunResult>,
): Promise<RunResult | null> {
  const { output, runs } = context;
  let run: string | null = null;
  let asked = false;
  // Epochs become steps once the rows are made.
  const report = runReporter(output, () => (run === null ? steps : runs.get(run).steps), pickResult);
  let result: RunResult | null = null;
  const stopped = await interruptible(
    () => {
      output.say(translate(output.language, 'stop.saving'));
      asked = true;
      // Where the run is over already, its result is on its way.
      if (run !== null && runs.active === run) runs.stop(run);
    },
    async () => {
      result = await start((event) => {
        report(event);
        if (event.event !== 'run') return;
        run = event.run;
        if (asked) runs.stop(run);
      });
    },
  );
  if (stopped) {
    // A stop that came after the last step left nothing to go on with.
    if (run !== null && runs.get(run).status === 'stopped') output.say(translate(output.language, 'stop.kept', { run }));
    process.exitCode = 130;
  }
  return result;
}

export function addMake(program: Command): void {
  withPersonaOptions(program.command('make'))
    .description('make an assistant: rows, training, checks and the best adapter, with defaults')
    .option('--model <ref>', 'model to start from')
    .addOption(deviceOption().default('auto'))
    .addOption(new Option('--precision <precision>', 'of the frozen weights; what suits the model where not given').choices(precisions))
    .option('--steps <n>', 'optimizer steps', wholeNumber(1))
    .option('--seed <n>', 'seed of rows, order and adapter', wholeNumber(0))
    .addOption(new Option('--demo', 'also write the result line to HOME/demo.json').hideHelp())
    .action(async (flags: PersonaFlags & { model?: string; device: string; precision?: Recipe['model']['precision']; steps?: number; seed?: number; demo?: boolean }, command: Command) => {
      const persona = personaFrom(flags);
      const context = createContext(command);
      // A folder is named by its whole path from here on, wherever the run is resumed.
      const { id: ref } = await context.models.locate(flags.model ?? context.models.default);
      const recipe = recipeOn(ref, await context.models.beginning(ref), persona, (value) => {
        if (flags.precision !== undefined) value['model'] = { ref, precision: flags.precision };
        value['device'] = flags.device;
        if (flags.steps !== undefined) value['steps'] = flags.steps;
        if (flags.seed !== undefined) value['seed'] = flags.seed;
      });
      const result = await train(context, recipe.steps, madeResult, (onEvent) =>
        context.runs.start(recipe, context.compute, onEvent),
      );
      if (result !== null && flags.demo === true) {
        writeWhole(join(context.home.folder, 'demo.json'), `${JSON.stringify({ event: 'result', ...madeResult(result) })}\n`);
      }
    });
}

export function addTrain(program: Command): void {
  program
    .command('train <recipe>')
    .description('train a recipe')
    .option('--set <key=value>', 'change a field of the recipe (may be repeated)', (set: string, all: string[]) => [...all, set], [])
    .action(async (path: string, flags: { set: string[] }, command: Command) => {
      const context = createContext(command);
      const recipe: Recipe = readRecipe(path, flags.set);
      await train(context, recipe.steps, trainedResult, (onEvent) => context.runs.start(recipe, context.compute, onEvent));
    });
}

/** `runs resume ID`. */
export async function resumeRun(context: Context, id: string, device?: Recipe['device']): Promise<void> {
  const { steps } = context.runs.get(id);
  await train(context, steps, trainedResult, (onEvent) => context.runs.resume(id, context.compute, onEvent, device));
}
