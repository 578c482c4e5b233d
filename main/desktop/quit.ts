// Quit: leaving while a run goes on asks once what becomes of it; leaving ends everything in order.
import { dialog, type BrowserWindow } from 'electron';
import { translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import type { RunSummary } from '../../shared/run.ts';

/** In the order of the dialog's buttons. */
const choices = ['stop', 'keep', 'discard', 'cancel'] as const;
export type QuitChoice = (typeof choices)[number];

export interface QuitActions {
  /** The run that goes on here. */
  training(): RunSummary | null;
  ask(run: RunSummary): Promise<QuitChoice>;
  /** Lets the run go on without a window. */
  keep(): void;
  /** Throws the run away. */
  discard(run: RunSummary): Promise<void>;
  /** Ends what still runs, keeping what it has, and closes the core. */
  close(): Promise<void>;
  /** Quits; comes back as another before-quit, which is let through. */
  quit(): void;
  /** Hears of what failed on the way out, for the log. */
  onTrouble(error: unknown): void;
}

export class Quit {
  readonly #actions: QuitActions;
  #busy = false;
  #decided = false;

  constructor(actions: QuitActions) {
    this.#actions = actions;
  }

  /** Whether the app is on its way out: its windows may close. */
  get decided(): boolean {
    return this.#decided;
  }

  /** For before-quit. The answer holds for this way out: nothing is asked twice. */
  beforeQuit(event: { preventDefault(): void }): void {
    if (this.#decided) return;
    event.preventDefault();
    if (this.#busy) return;
    this.#busy = true;
    void this.#leave()
      .catch(this.#actions.onTrouble)
      .finally(() => {
        this.#busy = false;
      });
  }

  async #leave(): Promise<void> {
    const { training, ask, keep, discard, close, quit, onTrouble } = this.#actions;
    const run = training();
    // A run that ended while its fate was asked for is kept as it is.
    const choice = run === null ? 'stop' : await ask(run);
    if (choice === 'cancel') return;
    if (choice === 'keep' && training() !== null) return keep();
    try {
      if (choice === 'discard' && run !== null && training() !== null) await discard(run);
      await close();
    } catch (error) {
      onTrouble(error);
    }
    this.#decided = true;
    quit();
  }
}

/** Asks in the person's language. Escape and closing the dialog mean not to quit. */
export async function askBeforeQuit(window: BrowserWindow | null, run: RunSummary, language: Language): Promise<QuitChoice> {
  const { name, step, steps } = run;
  const options = {
    type: 'question' as const,
    message: translate(language, 'quit.question', { name }),
    detail: translate(language, 'quit.detail', { step, steps }),
    buttons: choices.map((choice) => translate(language, `quit.${choice}`)),
    defaultId: choices.indexOf('stop'),
    cancelId: choices.indexOf('cancel'),
    noLink: true,
  };
  const { response } = await (window === null ? dialog.showMessageBox(options) : dialog.showMessageBox(window, options));
  return choices[response] ?? 'cancel';
}
