// Context: the composition root of the command line. Builds the services once, from the global options.
import type { Command } from 'commander';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import { startEngine, type EngineProcess } from '../engine/client.ts';
import { Home } from '../home.ts';
import { ChatPartners } from '../services/chat-partner.ts';
import { ChatService } from '../services/chat.ts';
import { ExportService } from '../services/export.ts';
import { ModelService } from '../services/model.ts';
import { RowsService } from '../services/rows.ts';
import { RunService, type ComputeOptions } from '../services/run.ts';
import { ChatStore } from '../store/chats.ts';
import { openDatabase } from '../store/db.ts';
import { ModelStore } from '../store/models.ts';
import { RunStore } from '../store/runs.ts';
import { Output } from './output.ts';

export interface GlobalOptions {
  home?: string;
  json?: boolean;
  threads?: string;
}

export interface Context {
  home: Home;
  output: Output;
  compute: ComputeOptions;
  models: ModelService;
  rows: RowsService;
  runs: RunService;
  partners: ChatPartners;
  chat: ChatService;
  exports: ExportService;
  startEngine: () => EngineProcess;
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

/** Opens home and services for a command. Throws home.newer, home.damaged, disk.unwritable. */
export function createContext(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const home = new Home(options.home);
  const output = new Output(options.json === true, systemLanguage());
  const compute = { threads: parseThreads(options.threads), isa: process.env['NAMESAKE_ISA'] || 'auto' };
  const db = openDatabase(home.database);
  const modelStore = new ModelStore(db);
  const runStore = new RunStore(db);
  const models = new ModelService(home, modelStore, {
    log: (line) => output.say(line),
    onBytes: (done, total) => output.progress(`${Math.round(done / 1e6)} / ${Math.round(total / 1e6)} MB`),
  });
  const rows = new RowsService(modelStore);
  const partners = new ChatPartners(home, runStore, models, () => startEngine(), () => compute);
  return {
    home,
    output,
    compute,
    models,
    rows,
    runs: new RunService(home, runStore, models, rows, () => startEngine()),
    partners,
    chat: new ChatService(new ChatStore(db), partners),
    exports: new ExportService(home, runStore, models, () => startEngine(), () => compute),
    startEngine: () => startEngine(),
  };
}
