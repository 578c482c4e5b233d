// Preview: a few of the questions and answers that an assistant will learn from, as one types. The last question asked is the
// one whose answer is shown, and the old answer stays until the new one is here.
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { Language, Persona } from '../../../shared/persona.ts';
import type { Api } from '../../api.ts';
import type { QuestionAnswer } from '../../../shared/run.ts';

/** How long somebody pauses between two keys, in milliseconds. */
export const PAUSE_MS = 150;

export class PersonaPreview {
  /** null before the first one. */
  #shown = $state.raw<{ persona: Persona; rows: readonly QuestionAnswer[] } | null>(null);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #api: Pick<Api, 'request' | 'on'>;
  readonly #stopListening: () => void;
  /** What was asked for last. */
  #wanted: Persona | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Pick<Api, 'request' | 'on'>) {
    this.#api = api;
    this.#stopListening = api.on('lost', () => void this.#ask());
  }

  /** Examples with the persona that they were made for. */
  get shown(): { persona: Persona; rows: readonly QuestionAnswer[] } | null {
    return this.#shown;
  }

  /** Why there are none now; a lost connection is not among it, as they come with it. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** Shows examples of a persona in one of its languages soon; null shows none. */
  show(persona: Persona | null, language: Language): void {
    const wanted = persona === null ? null : { ...persona, languages: [language] };
    if (JSON.stringify(wanted) === JSON.stringify(this.#wanted)) return;
    clearTimeout(this.#timer);
    this.#wanted = wanted;
    if (wanted === null) this.#shown = this.#error = null;
    else this.#timer = setTimeout(() => void this.#ask(), this.#shown === null ? 0 : PAUSE_MS);
  }

  /** Asks again. */
  retry(): void {
    void this.#ask();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#wanted = null;
  }

  async #ask(): Promise<void> {
    const persona = this.#wanted;
    if (persona === null) return;
    try {
      const { rows } = await this.#api.request('persona.preview', { persona });
      if (this.#wanted !== persona) return;
      this.#shown = { persona, rows };
      this.#error = null;
    } catch (thrown) {
      const error = toNamesakeError(thrown);
      if (this.#wanted === persona && error.code !== 'door.lost') this.#error = error;
    }
  }
}
