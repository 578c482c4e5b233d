// Core: all services of one home, made once and shared by whoever comes in: command line, windows, browsers.
import { startEngine, type EngineProcess } from './engine/client.ts';
import type { Home } from './home.ts';
import { createLog, type Log } from './log.ts';
import { ChatPartners } from './services/chat-partner.ts';
import { ChatService } from './services/chat.ts';
import { DraftService } from './services/drafts.ts';
import { ExportService } from './services/export.ts';
import { FileDesk } from './services/file-desk.ts';
import { ModelService, type FetchProgress } from './services/model.ts';
import { RowsService } from './services/rows.ts';
import { RunService, type ComputeOptions } from './services/run.ts';
import { SettingsService } from './services/settings.ts';
import { ChatStore } from './store/chats.ts';
import { openDatabase, type Db } from './store/db.ts';
import { DraftStore } from './store/drafts.ts';
import { ModelStore } from './store/models.ts';
import { RunStore } from './store/runs.ts';
import { SettingsStore } from './store/settings.ts';

export interface CoreOptions {
  /** How engine hosts are started; a forked Node where not given. */
  startEngine?: () => EngineProcess;
  /** How they compute where the recipe does not say; all physical cores and the best instruction set where not given. */
  compute?: ComputeOptions;
  /** Hears of what is fetched before a run or a chat. */
  progress?: FetchProgress;
}

const silent: FetchProgress = { log: () => undefined, onBytes: () => undefined };

/**
 * The services of a home, each made when it is first asked for: what needs no database works in a home that cannot be
 * written to. Getters throw home.newer, home.damaged, disk.unwritable or disk.full where the database cannot be opened.
 */
export class Core {
  readonly home: Home;
  readonly compute: ComputeOptions;
  readonly log: Log;
  readonly startEngine: () => EngineProcess;
  readonly #progress: FetchProgress;
  #db: Db | null = null;
  #made = new Map<string, unknown>();

  constructor(home: Home, options: CoreOptions) {
    this.home = home;
    this.compute = options.compute ?? { threads: 0, isa: 'auto' };
    this.log = createLog(home.logs);
    this.startEngine = options.startEngine ?? (() => startEngine());
    this.#progress = options.progress ?? silent;
  }

  get #database(): Db {
    return (this.#db ??= openDatabase(this.home.database));
  }

  /** The service of this name, made at the first call. */
  #once<T>(name: string, make: () => T): T {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name) as T;
  }

  get #runStore(): RunStore {
    return this.#once('runStore', () => new RunStore(this.#database));
  }

  get #modelStore(): ModelStore {
    return this.#once('modelStore', () => new ModelStore(this.#database));
  }

  get models(): ModelService {
    return this.#once('models', () => new ModelService(this.home, this.#modelStore, this.#progress));
  }

  get rows(): RowsService {
    return this.#once('rows', () => new RowsService(this.#modelStore));
  }

  get runs(): RunService {
    return this.#once('runs', () => new RunService(this.home, this.#runStore, this.models, this.rows, this.startEngine));
  }

  get partners(): ChatPartners {
    return this.#once('partners', () => new ChatPartners(this.home, this.#runStore, this.models, this.startEngine, () => this.compute));
  }

  get chat(): ChatService {
    return this.#once('chat', () => new ChatService(new ChatStore(this.#database), this.partners));
  }

  get drafts(): DraftService {
    return this.#once('drafts', () => new DraftService(this.home, new DraftStore(this.#database), this.#runStore, this.models));
  }

  get exports(): ExportService {
    return this.#once('exports', () => new ExportService(this.home, this.#runStore, this.models, this.startEngine, () => this.compute));
  }

  get settings(): SettingsService {
    return this.#once('settings', () => new SettingsService(new SettingsStore(this.#database)));
  }

  get files(): FileDesk {
    return this.#once('files', () => new FileDesk(this.home.uploads));
  }

  /** Forgets files that were handed over and closes the database. Runs and chats are ended before. */
  close(): void {
    if (this.#made.has('files')) this.files.close();
    if (this.#made.has('drafts')) this.drafts.close();
    this.#made.clear();
    this.#db?.close();
    this.#db = null;
  }
}

/** The core of a home. Nothing is opened or written before it is asked for. */
export function createCore(home: Home, options: CoreOptions = {}): Core {
  return new Core(home, options);
}
