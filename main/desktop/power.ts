// Power: the machine stays awake while a run goes on, and only then. The screen may go dark.
import { powerSaveBlocker } from 'electron';

export class PowerBlock {
  #id: number | null = null;

  /** Keeps the machine awake, or lets it sleep again. */
  set(on: boolean): void {
    if (on && this.#id === null) this.#id = powerSaveBlocker.start('prevent-app-suspension');
    else if (!on && this.#id !== null) {
      powerSaveBlocker.stop(this.#id);
      this.#id = null;
    }
  }
}
