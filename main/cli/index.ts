#!/usr/bin/env node
// The command line: one command, one file; here they meet. Exit 0 success, 1 failed, 2 bad usage, 130 cancelled.
import { Command, CommanderError } from 'commander';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import { diskError } from '../disk.ts';
import { Home } from '../home.ts';
import { packageVersion } from '../resources.ts';
import { addBench } from './commands/bench.ts';
import { addChat, addCompare } from './commands/chat.ts';
import { addData } from './commands/data.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExport } from './commands/export.ts';
import { addInspect } from './commands/inspect.ts';
import { addMake, addTrain } from './commands/make.ts';
import { addModels, addRecipes } from './commands/models.ts';
import { addRuns } from './commands/runs.ts';
import { addServe } from './commands/serve.ts';
import { systemLanguage, type GlobalOptions } from './context.ts';
import { quitOnInterrupt } from './interrupt.ts';
import { checkNode } from './node-version.ts';
import { Output } from './output.ts';

function createProgram(): Command {
  const program = new Command('namesake')
    .description('Give a language model a name.')
    .version(packageVersion())
    .option('--home <dir>', 'folder of all user data (default: NAMESAKE_HOME or ~/.namesake)')
    .option('--json', 'one JSON object a line on stdout, words on stderr')
    .option('--threads <n>', 'threads of the engine (default: all physical cores)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stderr.write(text), writeErr: (text) => process.stderr.write(text) });
  for (const add of [addMake, addData, addTrain, addCompare, addChat, addExport, addInspect, addModels, addRecipes, addRuns, addDoctor, addServe, addBench]) {
    add(program);
  }
  return program;
}

/** Global options may stand anywhere: those behind the command are moved before it. Throws usage.invalid. */
function withGlobalsFirst(args: readonly string[]): string[] {
  const globals: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') {
      rest.push(...args.slice(i));
      break;
    }
    if (arg === '--json' || /^--(home|threads)=./.test(arg)) globals.push(arg);
    else if (/^--(home|threads)=?$/.test(arg)) {
      const value = arg.endsWith('=') ? '' : args[++i];
      // Another option in the value's place would be taken for it; an empty one (a shell variable that is not set) would mean this folder.
      if (value === undefined || value === '' || value.startsWith('--')) throw new NamesakeError('usage.invalid', `${arg} needs a value`);
      globals.push(arg, value);
    }
    else rest.push(arg);
  }
  return [...globals, ...rest];
}

/** What commander has to say, without its own "error:". */
function usageMessage(error: CommanderError): string {
  return error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, '');
}

async function main(args: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    checkNode(process.versions.node);
    await program.parseAsync(withGlobalsFirst(args), { from: 'user' });
  } catch (error) {
    const json = args.includes('--json');
    const output = new Output(json, systemLanguage());
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return;
      process.exitCode = 2;
      if (json) output.error(new NamesakeError('usage.invalid', usageMessage(error)));
      return;
    }
    const known = diskError(error, new Home(program.opts<GlobalOptions>().home).folder) ?? toNamesakeError(error);
    output.error(known);
    process.exitCode = known.code === 'cancelled' ? 130 : known.code === 'usage.invalid' ? 2 : 1;
  }
}

// A reader that closes the pipe ends the program, it is no fault of it.
process.stdout.on('error', () => process.exit(process.exitCode ?? 0));
quitOnInterrupt();
await main(process.argv.slice(2));
