// Core: all services of one home, made once and shared by whoever comes in: command line, windows, browsers.
import { startEngine, type EngineProcess } from './engine/client.ts';
import type { Home } from './home.ts';
import { createLog, type Log } from './log.ts';
import { threadsBesideWindows } from './processors.ts';
import { ChatPartners } from './services/chat-partner.ts';
import { ChatService } from './services/chat.ts';
import { ChoiceService } from './services/choice.ts';
import { DraftService } from './services/drafts.ts';
import { ExportService } from './services/export.ts';
import { FileDesk } from './services/file-desk.ts';
import { MemoryService } from './services/memory.ts';
import { ModelService, type FetchProgress } from './services/model.ts';
import { RowLives } from './services/row-life.ts';
import { RowsService } from './services/rows.ts';
import { RunService, type ComputeOptions } from './services/run.ts';
import { SettingsService } from './services/settings.ts';
import { TokenizerHost } from './services/tokenizer-host.ts';
import { Tokens } from './services/tokens.ts';
import { ChatStore } from './store/chats.ts';
import { openDatabase, type Db } from './store/db.ts';
import { DraftStore } from './store/drafts.ts';
import { ModelStore } from './store/models.ts';
import { RunStore } from './store/runs.ts';
import { SettingsStore } from './store/settings.ts';
import type { Vault } from './vault.ts';

export interface CoreOptions {
  /** How engine hosts are started; a forked Node where not given. */
  startEngine?: () => EngineProcess;
  /** How they compute where the recipe does not say; all physical cores and NAMESAKE_ISA or the best one where not given. */
  compute?: ComputeOptions;
  /** Hears of what is fetched before a run or a chat. */
  progress?: FetchProgress;
  /** What keeps tokens beyond this process. */
  vault?: Vault;
}

const silent: FetchProgress = { log: () => undefined, onBytes: () => undefined };

/**
 * The services of a home, each made when it is first asked for: what needs no database works in a home that cannot be
 * written to. Getters throw home.newer, home.damaged, disk.unwritable or disk.full where the database cannot be opened.
 */
export class Core {
  readonly home: Home;
  readonly log: Log;
  readonly #options: CoreOptions;
  readonly #made = new Map<string, unknown>();
  readonly #engines = new Set<EngineProcess>();
  #db: Db | null = null;
  #windows = false;

  constructor(home: Home, options: CoreOptions) {
    this.home = home;
    this.#options = options;
    this.log = createLog(home.logs);
  }

  /** Starts an engine host, which ends with this core where it did not before. */
  readonly startEngine = (): EngineProcess => {
    const engine = (this.#options.startEngine ?? startEngine)();
    this.#engines.add(engine);
    engine.onExit(() => this.#engines.delete(engine));
    return engine;
  };

  /** From now on windows use this core: their settings count, and they keep a processor for themselves. */
  useWindows(): void {
    this.#windows = true;
  }

  /** How an engine that starts now is to compute. */
  get compute(): ComputeOptions {
    const { threads, isa } = this.#options.compute ?? { threads: 0, isa: process.env['NAMESAKE_ISA'] || 'auto' };
    const cache = this.home.quantized;
    if (threads > 0 || !this.#windows) return { threads, isa, cache };
    return { threads: this.settings.get().threads || threadsBesideWindows(), isa, cache };
  }

  /** The service of this name, made at the first call. */
  #once<T>(name: string, make: () => T): T {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name) as T;
  }

  get #database(): Db {
    return (this.#db ??= openDatabase(this.home.database));
  }

  get #runStore(): RunStore {
    return this.#once('run store', () => new RunStore(this.#database));
  }

  get #modelStore(): ModelStore {
    return this.#once('model store', () => new ModelStore(this.#database));
  }

  get #settingsStore(): SettingsStore {
    return this.#once('settings store', () => new SettingsStore(this.#database));
  }

  get settings(): SettingsService {
    return this.#once('settings', () => new SettingsService(this.#settingsStore));
  }

  get tokens(): Tokens {
    return this.#once('tokens', () => new Tokens(this.#settingsStore, this.#options.vault ?? null));
  }

  get models(): ModelService {
    return this.#once('models', () => {
      const hubs = (): ReturnType<Tokens['hubs']> => this.tokens.hubs(this.settings.get(), process.env);
      return new ModelService(this.home, this.#modelStore, this.#options.progress ?? silent, {
        hubs,
        need: (card, entry) => this.memory.need(card, entry),
        shape: (path) => this.memory.shape(path),
        madeSeconds: (ref) => this.#runStore.madeSeconds(ref),
      });
    });
  }

  get memory(): MemoryService {
    return this.#once('memory', () => new MemoryService(this.home, this.models, this.startEngine, () => this.compute));
  }

  get rows(): RowsService {
    return this.#once('rows', () => new RowsService(this.#modelStore));
  }

  get drafts(): DraftService {
    return this.#once('drafts', () => new DraftService(this.home, new DraftStore(this.#database), this.#runStore, this.models));
  }

  get rowLives(): RowLives {
    return this.#once('row lives', () => {
      const host = new TokenizerHost(this.models, this.startEngine, () => this.compute);
      return new RowLives(this.home, this.drafts, this.models, this.rows, host);
    });
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

  get choices(): ChoiceService {
    return this.#once('choices', () => new ChoiceService(this.home, this.#runStore, this.partners));
  }

  get exports(): ExportService {
    return this.#once('exports', () => new ExportService(this.home, this.#runStore, this.partners));
  }

  get files(): FileDesk {
    return this.#once('files', () => new FileDesk(this.home.uploads));
  }

  /**
   * Ends engines, forgets files that were handed over and closes the database. A run is ended before. Services that are
   * asked for after this are new ones.
   */
  close(): void {
    if (this.#made.has('row lives')) void this.rowLives.close();
    for (const engine of this.#engines) void engine.dispose();
    if (this.#made.has('models')) void this.models.close();
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
