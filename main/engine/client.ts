// Client: the engine as the rest of the program sees it: the host's functions, and what happens when the host dies.
import { createBirpc } from 'birpc';
import type { EngineClient, EngineEvents } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { forkHost, type HostExit, type HostProcess, type Priority } from './host-process.ts';
import { channel, type HostApi } from './protocol.ts';

export interface EngineOptions {
  /** "low" leaves the machine usable while it trains; the default. */
  priority?: Priority;
  /** Values that the host's environment has beside this process's own. */
  environment?: Record<string, string>;
  /** How the host is started: a forked Node, or Electron's utilityProcess. */
  start?: (options: { priority: Priority; environment: Record<string, string> }) => HostProcess;
}

/** A running host: EngineClient, and what only those who start hosts need. */
export interface EngineProcess extends EngineClient, HostApi {
  about: HostApi['about'];
  readonly pid: number | undefined;
  /** Hears of the host's end, asked for or not; returns the un-listener. */
  onExit(listener: (exit: HostExit) => void): () => void;
}

/** Listeners that can be taken out again. */
class Listeners<Args extends unknown[]> {
  readonly #list = new Set<(...args: Args) => void>();

  add(listener: (...args: Args) => void): () => void {
    this.#list.add(listener);
    return () => this.#list.delete(listener);
  }

  tell(...args: Args): void {
    for (const listener of [...this.#list]) listener(...args);
  }
}

/**
 * Starts an engine host. Calls fail by code (NamesakeError); once the host is gone, by accident or by dispose(), they and
 * those under way fail with engine.crashed. A host keeps this process alive until it is disposed of.
 */
export function startEngine(options: EngineOptions = {}): EngineProcess {
  const { priority = 'low', environment = {}, start = forkHost } = options;
  const host = start({ priority, environment });
  const text = new Listeners<Parameters<EngineEvents['text']>>();
  const exit = new Listeners<[HostExit]>();
  const events: EngineEvents = { text: (...args) => text.tell(...args) };
  const remote = createBirpc<HostApi, EngineEvents>(events, channel(host));
  let gone: HostExit | null = null;
  let disposed = false;

  const crashed = ({ code, signal, lastWords }: HostExit): NamesakeError => {
    const how = disposed ? 'it was ended' : signal === null ? `exit code ${code}` : `signal ${signal}`;
    return new NamesakeError('engine.crashed', lastWords === '' ? how : `${how}; ${lastWords}`);
  };
  const ended = new Promise<void>((resolve) => {
    host.onExit((how) => {
      gone = how;
      remote.$rejectPendingCalls(({ reject }) => reject(crashed(how)));
      exit.tell(how);
      resolve();
    });
  });

  const forward =
    <K extends keyof HostApi>(method: K) =>
    async (...args: Parameters<HostApi[K]>): Promise<Awaited<ReturnType<HostApi[K]>>> => {
      if (gone !== null) throw crashed(gone);
      return remote.$call(method, ...args);
    };

  return {
    about: forward('about'),
    gpus: forward('gpus'),
    open: forward('open'),
    close: forward('close'),
    tokenize: forward('tokenize'),
    encode: forward('encode'),
    specials: forward('specials'),
    stops: forward('stops'),
    render: forward('render'),
    promptLengths: forward('promptLengths'),
    shape: forward('shape'),
    planMemory: forward('planMemory'),
    measurePeak: forward('measurePeak'),
    createTrainer: forward('createTrainer'),
    step: forward('step'),
    saveCheckpoint: forward('saveCheckpoint'),
    loadCheckpoint: forward('loadCheckpoint'),
    useAdapter: forward('useAdapter'),
    generate: forward('generate'),
    score: forward('score'),
    logits: forward('logits'),
    cancel: forward('cancel'),
    get pid() {
      return host.pid;
    },
    onText: (listener) => text.add(listener),
    onExit: (listener) => exit.add(listener),
    dispose: async () => {
      disposed = true;
      host.end();
      await ended;
    },
  };
}
