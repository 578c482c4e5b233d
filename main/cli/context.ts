// Context: the composition root of the command line. Builds the services once, from the global options.
import type { Command } from 'commander';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import { createCore, type Core } from '../core.ts';
import { Home } from '../home.ts';
import type { ComputeOptions } from '../services/run.ts';
import { Output } from './output.ts';

export interface GlobalOptions {
  home?: string;
  json?: boolean;
  threads?: string;
}

export interface Context extends Pick<Core, 'home' | 'models' | 'rows' | 'runs' | 'partners' | 'chat' | 'exports' | 'startEngine'> {
  output: Output;
  compute: ComputeOptions;
}

/** zh where the system's language is Chinese. */
export function systemLanguage(): Language {
  const locale = process.env['LC_ALL'] || process.env['LC_MESSAGES'] || process.env['LANG'] || Intl.DateTimeFormat().resolvedOptions().locale;
  return /^zh/i.test(locale) ? 'zh' : 'en';
}

/** The number of `--threads`; 0 where it is not given. Throws usage.invalid. */
export function parseThreads(text: string | undefined): number {
  if (text === undefined) return 0;
  const threads = Number(text);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new NamesakeError('usage.invalid', `--threads ${text} is not a number from 1 to 1024`);
  }
  return threads;
}

/** Home and services for a command, each opened when it is first taken from here; see Core for what that throws. */
export function createContext(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const output = new Output(options.json === true, systemLanguage());
  const compute = { threads: parseThreads(options.threads), isa: process.env['NAMESAKE_ISA'] || 'auto' };
  const core = createCore(new Home(options.home), {
    compute,
    progress: {
      log: (line) => output.say(line),
      onBytes: (done, total) => output.progress(`${Math.round(done / 1e6)} / ${Math.round(total / 1e6)} MB`),
    },
  });
  return {
    home: core.home,
    output,
    compute: core.compute,
    get models() {
      return core.models;
    },
    get rows() {
      return core.rows;
    },
    get runs() {
      return core.runs;
    },
    get partners() {
      return core.partners;
    },
    get chat() {
      return core.chat;
    },
    get exports() {
      return core.exports;
    },
    startEngine: core.startEngine,
  };
}
