// runs list, show, resume.
import type { Command } from 'commander';
import { printTable } from '../table.ts';
import { createContext } from '../context.ts';
import { resumeRun } from './make.ts';
import { scoreLine } from '../run-report.ts';

export function addRuns(program: Command): void {
  const runs = program.command('runs').description('past runs: list, show, resume');
  runs
    .command('list')
    .description('all runs, newest first')
    .action((_flags: object, command: Command) => {
      const { runs: service, output } = createContext(command);
      const records = service.list();
      for (const { run, name, status, step, steps } of records) output.event({ event: 'run', run, name, status, step, steps });
      if (!output.json) {
        printTable(output, ['run', 'name', 'status', 'step'], records.map(({ run, name, status, step, steps }) => [run, name, status, `${step}/${steps}`]));
      }
    });
  runs
    .command('show <id>')
    .description('one run: recipe, scores, result')
    .action((id: string, _flags: object, command: Command) => {
      const { runs: service, output, home } = createContext(command);
      const { run, name, status, step, steps, created_at, error, error_detail, chosen_step, recipe, result } = service.get(id);
      const { checkpoints, metrics } = service.measured(id);
      const shown = { run, name, status, step, steps, created_at, error, error_detail, chosen_step, folder: home.run(id).folder, recipe, checkpoints, metrics, result };
      output.event({ event: 'result', ...shown });
      if (output.json) return;
      output.print(`${run}  ${name}  ${status}  ${step}/${steps}  ${home.run(id).folder}`);
      if (error !== null) output.print(`${error}: ${error_detail ?? ''}`);
      for (const { step: at, scores, right } of checkpoints) {
        if (scores !== null) output.print(`${at === chosen_step ? '→' : ' '} ${at}${right ? ' ✓' : ''}  ${scoreLine(output.language, scores)}`);
      }
      output.print(JSON.stringify(recipe, null, 2));
    });
  runs
    .command('resume <id>')
    .description('go on from the last checkpoint')
    .action((id: string, _flags: object, command: Command) => resumeRun(createContext(command), id));
}
