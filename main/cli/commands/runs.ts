// runs list, show, diff, resume, delete, undelete, rename.
import type { Command } from 'commander';
import { NamesakeError, isErrorCode } from '../../../shared/errors.ts';
import { explainError, translate } from '../../../shared/i18n/translate.ts';
import type { Language } from '../../../shared/persona.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { resumableStatuses } from '../../../shared/run.ts';
import { createContext, type Context } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { progressLine, scoreLine } from '../run-report.ts';
import { printTable } from '../table.ts';
import { resumeRun } from './make.ts';

/** As long as a run's name may be, here and in a window. */
const LONGEST_NAME = 120;

function list({ runs, output }: Context): void {
  const records = runs.list();
  for (const { run, name, status, step, steps } of records) output.event({ event: 'run', run, name, status, step, steps });
  if (output.json) return;
  if (records.length === 0) output.say(translate(output.language, 'runs.none'));
  else {
    printTable(
      output,
      ['run', 'name', 'status', 'step'],
      records.map(({ run, name, status, step, steps }) => [run, name, translate(output.language, `status.${status}`), `${step}/${steps}`]),
    );
  }
}

/** Why a run failed, in words. */
function failure(language: Language, { error, error_detail, error_params }: ReturnType<Context['runs']['get']>): string | null {
  if (error === null) return null;
  const detail = error_detail ?? '';
  return isErrorCode(error) ? explainError(language, new NamesakeError(error, detail, error_params)) : `${error}: ${detail}`;
}

function show({ runs, output }: Context, id: string): void {
  const record = runs.get(id);
  const { run, name, status, step, steps, created_at, error, error_detail, chosen_step, recipe, result, progress } = record;
  const { checkpoints, metrics, folder, bytes_on_disk } = runs.details(id);
  output.event({
    event: 'result',
    ...{ run, name, status, step, steps, created_at, error, error_detail, chosen_step },
    ...{ folder, bytes_on_disk, progress, recipe, checkpoints, metrics, result },
  });
  if (output.json) return;
  const { language } = output;
  output.print(`${run}  ${name}  ${translate(language, `status.${status}`)}  ${step}/${steps}  ${Math.ceil(bytes_on_disk / 1e6)} MB  ${folder}`);
  if (progress !== null) output.print(progressLine(language, progress));
  const why = failure(language, record);
  if (why !== null) output.print(why);
  for (const { step: at, scores, right } of checkpoints) {
    if (scores !== null) output.print(`${at === chosen_step ? '→' : ' '} ${at}${right ? ' ✓' : ''}  ${scoreLine(language, scores)}`);
  }
  output.print(JSON.stringify(recipe, null, 2));
  if (resumableStatuses.includes(status)) output.say(translate(language, 'runs.resume', { run }));
}

function diff({ runs, output }: Context, a: string, b: string): void {
  const differences = runs.diff(a, b);
  for (const difference of differences) output.event({ event: 'difference', ...difference });
  output.event({ event: 'result', differences: differences.length });
  if (output.json) return;
  if (differences.length === 0) output.print(translate(output.language, 'runs.same'));
  else printTable(output, ['field', a, b], differences.map((found) => [found.field, JSON.stringify(found.a), JSON.stringify(found.b)]));
}

function rename({ runs, output }: Context, id: string, text: string): void {
  const name = text.trim();
  if (name === '' || name.length > LONGEST_NAME) {
    throw new NamesakeError('usage.invalid', `a name has 1 to ${LONGEST_NAME} characters, not ${name.length}`);
  }
  runs.rename(id, name);
  output.event({ event: 'result', run: id, name });
  output.say(translate(output.language, 'runs.renamed', { run: id, name }));
}

export function addRuns(program: Command): void {
  const runs = program.command('runs').description('past runs: list, show, diff, resume, delete, undelete, rename');
  runs
    .command('list')
    .description('all runs, newest first')
    .action((_flags: object, command: Command) => list(createContext(command)));
  runs
    .command('show <id>')
    .description('one run: how far it is, scores, recipe, why it failed')
    .action((id: string, _flags: object, command: Command) => show(createContext(command), id));
  runs
    .command('diff <a> <b>')
    .description('in which fields of their recipes, and in what they were made from, two runs differ')
    .action((a: string, b: string, _flags: object, command: Command) => diff(createContext(command), a, b));
  runs
    .command('resume <id>')
    .description('go on from the last checkpoint')
    .addOption(deviceOption('another one than the recipe names: '))
    .action((id: string, { device }: { device?: Recipe['device'] }, command: Command) => resumeRun(createContext(command), id, device));
  runs
    .command('delete <id>')
    .description('delete a run and its files; for ten minutes it can be brought back')
    .action((id: string, _flags: object, command: Command) => {
      const { runs: service, output } = createContext(command);
      service.delete(id);
      output.event({ event: 'result', run: id });
      output.say(translate(output.language, 'runs.deleted', { run: id }));
    });
  runs
    .command('undelete <id>')
    .description('bring back a run that was deleted less than ten minutes ago')
    .action((id: string, _flags: object, command: Command) => {
      const { runs: service, output } = createContext(command);
      service.undelete(id);
      output.event({ event: 'result', run: id });
      output.say(translate(output.language, 'runs.undeleted', { run: id }));
    });
  runs
    .command('rename <id> <name>')
    .description('give a run another name')
    .action((id: string, name: string, _flags: object, command: Command) => rename(createContext(command), id, name));
}
