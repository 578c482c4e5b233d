// Conversation: the generator of a chat that goes on, which keeps what it computed of it from turn to turn.
import type { Adapter, Generator, Model } from './native.d.ts';

/** How long the memory is held when nothing is said. */
const IDLE_MS = 120_000;

export class Conversation {
  #held: { generator: Generator; slots: number } | null = null;
  #idle: NodeJS.Timeout | undefined;

  /** The generator of the last turn where it has so many slots, otherwise one that has kept nothing yet. */
  async turn(model: Model, slots: number, adapter: Adapter | null): Promise<Generator> {
    clearTimeout(this.#idle);
    if (this.#held === null || this.#held.slots < slots) {
      this.forget();
      this.#held = { generator: await model.createGenerator(slots, adapter, 'in-conversation'), slots };
    }
    return this.#held.generator;
  }

  /** After a turn. */
  rest(): void {
    this.#idle = setTimeout(() => {
      this.forget();
    }, IDLE_MS).unref();
  }

  /** Gives the memory back. */
  forget(): void {
    clearTimeout(this.#idle);
    this.#held?.generator.close();
    this.#held = null;
  }
}
