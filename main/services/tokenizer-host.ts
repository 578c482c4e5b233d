// Tokenizer host: an engine host that is asked about text and tokens only. It stays for a while, because who looks at one row
// looks at the next.
import type { EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { LocalModel, ModelService } from './model.ts';
import type { ComputeOptions } from './run.ts';

/** How long a host waits for the next question. */
const IDLE_MS = 60_000;

interface OpenHost {
  path: string;
  engine: EngineClient;
  specials: ReadonlySet<number>;
  release: () => void;
}

export class TokenizerHost {
  readonly #models: Pick<ModelService, 'use'>;
  readonly #startEngine: () => EngineClient;
  readonly #compute: () => ComputeOptions;
  #open: OpenHost | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(models: Pick<ModelService, 'use'>, startEngine: () => EngineClient, compute: () => ComputeOptions) {
    this.#models = models;
    this.#startEngine = startEngine;
    this.#compute = compute;
  }

  /**
   * Asks about a model's text and tokens, one question after the other; `specials` are the ids of its own marks. Throws what
   * opening a model throws.
   */
  ask<T>(model: LocalModel, question: (engine: EngineClient, specials: ReadonlySet<number>) => Promise<T>): Promise<T> {
    const answer = this.#last.then(async () => {
      clearTimeout(this.#idle);
      try {
        const { engine, specials } = await this.#opened(model);
        return await question(engine, specials);
      } catch (error) {
        if (error instanceof NamesakeError && error.code === 'engine.crashed') await this.#end();
        throw error;
      } finally {
        this.#idle = setTimeout(() => void this.rest(), IDLE_MS).unref();
      }
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the host after what was asked; the next question starts another. */
  rest(): Promise<void> {
    clearTimeout(this.#idle);
    const rested = this.#last.then(() => this.#end());
    this.#last = rested.catch(() => undefined);
    return rested;
  }

  async #opened(model: LocalModel): Promise<OpenHost> {
    if (this.#open?.path === model.path) return this.#open;
    await this.#end();
    const release = this.#models.use(model);
    const engine = this.#startEngine();
    try {
      // As stored: nothing is computed with the weights, and their file is only mapped.
      await engine.open({ path: model.path, precision: 'as-stored', device: 'cpu', ...this.#compute() });
      this.#open = { path: model.path, engine, specials: new Set(await engine.specials()), release };
      return this.#open;
    } catch (error) {
      await engine.dispose();
      release();
      throw error;
    }
  }

  async #end(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.engine.dispose();
    open?.release();
  }
}
