// Downloads: one for each model at a time, however many ask for it; paused and gone on with at will. What is there of a file
// lies in the home, so that a download survives the program.
import type { FetchOptions, ModelEntry } from '../../tools/fetch-model.mjs';
import { ensureModel, ModelUnavailableError, partSize } from '../../tools/fetch-model.mjs';
import type { Hub } from '../../tools/hubs.mjs';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import type { DownloadState } from '../../shared/model.ts';
import { diskError } from '../disk.ts';
import type { Home } from '../home.ts';

/** Who hears of what is fetched. */
export interface FetchProgress {
  /** What is tried, and what failed. */
  log(line: string): void;
  onBytes(done: number, total: number): void;
}

export interface DownloadOptions {
  /** Hosts of models in the order in which they are asked. */
  hubs: () => Hub[];
  progress: FetchProgress;
  /** Limits of patience, for tests. */
  patience?: Pick<FetchOptions, 'attempts' | 'pauseMs' | 'longestWaitMs' | 'idleMs' | 'headMs'>;
}

/** How long ago counts for the speed. */
const SMOOTHING_MS = 3000;
/** Between two looks at the speed, which are also the events. */
const SAMPLE_MS = 200;

interface Job {
  abort: AbortController;
  result: Promise<string>;
  state: DownloadState;
  /** Whether anything was fetched or waited for: a file that was here all along is no download. */
  active: boolean;
  /** How many wait for it that may give up; infinite where someone asked for it who did not say when they would. */
  wanted: number;
  timer: NodeJS.Timeout;
  sampledAt: number;
  sampledBytes: number;
}

/** What to tell a person where no source gave the file: permission first, then wrong files, then the network. */
function explain(error: ModelUnavailableError): NamesakeError {
  const detail = error.failures.map(({ host, message }) => `${host}: ${message}`).join('; ') || 'none of its sources is among the hosts that the settings name';
  const denied = error.failures.find(({ why }) => why === 'denied');
  if (denied !== undefined) return new NamesakeError('download.denied', detail, { host: denied.host });
  if (error.failures.length > 0 && error.failures.every(({ why }) => why === 'wrong')) return new NamesakeError('model.checksum_mismatch', detail);
  return new NamesakeError('download.failed', detail);
}

export class Downloads {
  readonly #home: Home;
  readonly #options: DownloadOptions;
  readonly #jobs = new Map<string, Job>();
  /** How the last download of a model ended, where it did not succeed. */
  readonly #failed = new Map<string, DownloadState>();
  readonly #listeners = new Set<(state: DownloadState) => void>();

  constructor(home: Home, options: DownloadOptions) {
    this.#home = home;
    this.#options = options;
  }

  /** Hears of every download: five times a second while it runs, and when it begins or ends. Returns the un-listener. */
  onState(listener: (state: DownloadState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(state: DownloadState): void {
    for (const listener of [...this.#listeners]) listener({ ...state });
  }

  /** How a model's download stands; null where there is nothing of one. `entry` is null where the file is not known yet. */
  state(model: string, entry: Pick<ModelEntry, 'id' | 'file' | 'size_bytes'> | null): DownloadState | null {
    const known = this.#jobs.get(model)?.state ?? this.#failed.get(model);
    if (known !== undefined) return { ...known };
    const done = entry === null ? 0 : partSize(this.#home.folder, entry);
    if (entry === null || done === 0) return null;
    return { model, state: 'paused', source: '', done, total: entry.size_bytes, bytes_per_second: 0, eta_seconds: null, error: null };
  }

  isRunning(model: string): boolean {
    return this.#jobs.has(model);
  }

  /**
   * The path of a model's file, fetched where the home lacks it; joins a download of it that is under way. Throws
   * download.failed, download.denied, model.checksum_mismatch, disk.full, disk.unwritable, or cancelled when it is paused or
   * `signal` says so; it pauses when all that wait for it have given up.
   */
  async fetch(model: string, entry: ModelEntry, signal?: AbortSignal): Promise<string> {
    // One that is being paused ends for those who paused it, not for who comes now.
    for (let old = this.#jobs.get(model); old?.abort.signal.aborted === true; old = this.#jobs.get(model)) await old.result.catch(() => undefined);
    const job = this.#jobs.get(model) ?? this.#begin(model, entry);
    if (signal === undefined) {
      job.wanted = Infinity;
      return job.result;
    }
    job.wanted++;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        reject(new NamesakeError('cancelled', 'while the model was fetched'));
        if (--job.wanted === 0) job.abort.abort();
      };
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      void job.result.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
    });
  }

  #begin(model: string, entry: ModelEntry): Job {
    const abort = new AbortController();
    const done = partSize(this.#home.folder, entry);
    const state: DownloadState = {
      ...{ model, state: 'running', source: '', done, total: entry.size_bytes, bytes_per_second: 0, eta_seconds: null, error: null },
    };
    const timer = setInterval(() => this.#sample(job), SAMPLE_MS);
    const job: Job = { abort, state, result: Promise.resolve(''), active: false, wanted: 0, timer, sampledAt: Date.now(), sampledBytes: done };
    this.#jobs.set(model, job);
    this.#failed.delete(model);
    job.result = this.#run(job, entry);
    // Who started it in the background hears of its end by the state.
    job.result.catch(() => undefined);
    return job;
  }

  async #run(job: Job, entry: ModelEntry): Promise<string> {
    const { progress, hubs, patience } = this.#options;
    const { state } = job;
    try {
      const path = await ensureModel(
        this.#home.folder,
        entry,
        {
          log: progress.log.bind(progress),
          onBytes: (done, total) => {
            state.done = done;
            job.active = true;
            progress.onBytes(done, total);
          },
          onSource: (host) => {
            state.source = host;
            job.active = true;
            this.#tell(state);
          },
        },
        { ...patience, hubs: hubs(), signal: job.abort.signal },
      );
      this.#end(job, { state: 'done', done: state.total });
      if (job.active) this.#tell(state);
      return path;
    } catch (error) {
      const known = job.abort.signal.aborted ? new NamesakeError('cancelled', 'the download was paused') : this.#known(error);
      const { code, detail, params } = known;
      const done = partSize(this.#home.folder, entry);
      if (code === 'cancelled') this.#end(job, { state: 'paused', done });
      else this.#end(job, { state: 'failed', done, error: { code, detail, params } });
      if (code !== 'cancelled') this.#failed.set(state.model, state);
      this.#tell(state);
      throw known;
    }
  }

  #known(error: unknown): NamesakeError {
    if (error instanceof ModelUnavailableError) return explain(error);
    return diskError(error, this.#home.folder) ?? toNamesakeError(error);
  }

  #end(job: Job, change: Partial<DownloadState>): void {
    clearInterval(job.timer);
    Object.assign(job.state, { bytes_per_second: 0, eta_seconds: null, ...change });
    this.#jobs.delete(job.state.model);
  }

  /** Looks at the speed: one that stalls is seen to. */
  #sample(job: Job): void {
    const { state } = job;
    if (!job.active) return;
    const now = Date.now();
    const elapsed = now - job.sampledAt;
    const speed = (Math.max(0, state.done - job.sampledBytes) * 1000) / elapsed;
    // The first sample counts whole, later ones by how long they took.
    const weight = state.bytes_per_second === 0 ? 1 : 1 - Math.exp(-elapsed / SMOOTHING_MS);
    state.bytes_per_second += weight * (speed - state.bytes_per_second);
    state.eta_seconds = state.bytes_per_second > 0 ? (state.total - state.done) / state.bytes_per_second : null;
    job.sampledAt = now;
    job.sampledBytes = state.done;
    this.#tell(state);
  }

  /** Pauses a download and waits until it has let go of its file; what was fetched stays. Nothing where none is under way. */
  async pause(model: string): Promise<void> {
    const job = this.#jobs.get(model);
    this.#failed.delete(model);
    if (job === undefined) return;
    job.abort.abort();
    await job.result.catch(() => undefined);
  }

  /** Pauses all downloads. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((model) => this.pause(model)));
  }
}
