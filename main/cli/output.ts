// Output: with --json one object a line on stdout; words for people on stderr (or stdout where they are the result).
import { explainError } from '../../shared/i18n/translate.ts';
import type { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';

export class Output {
  readonly json: boolean;
  readonly language: Language;
  #progressShown = false;

  constructor(json: boolean, language: Language) {
    this.json = json;
    this.language = language;
  }

  /** A machine-readable event; nothing without --json. */
  event<T extends { event: string }>(event: T): void {
    if (this.json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }

  /** A line for people on the way. */
  say(line: string): void {
    this.#clear();
    process.stderr.write(`${line}\n`);
  }

  /** A line of the result for people: on stdout, unless that belongs to --json. */
  print(line: string): void {
    this.#clear();
    (this.json ? process.stderr : process.stdout).write(`${line}\n`);
  }

  /** A line that the next one replaces, on a terminal only. */
  progress(line: string): void {
    if (!process.stderr.isTTY) return;
    this.#clear();
    process.stderr.write(line);
    this.#progressShown = true;
  }

  #clear(): void {
    if (this.#progressShown) process.stderr.write('\r\u001B[2K');
    this.#progressShown = false;
  }

  /** The last line of a failed command, and what the person can do. */
  error(error: NamesakeError): void {
    const message = explainError(this.language, error);
    this.event({ event: 'error', code: error.code, message });
    this.say(message);
  }
}
