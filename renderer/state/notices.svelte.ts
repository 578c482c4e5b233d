// Notices: what the page has to tell besides what it shows: errors, and what was done and can be taken back.
import { toNamesakeError, type NamesakeError } from '../../shared/errors.ts';

export interface Notice {
  id: number;
  tone: 'bad' | 'plain';
  /** Says it in the language of the moment. */
  words: () => string;
  /** For "copy details": code and detail of an error. */
  details: string | null;
  action: { words: () => string; run: () => void } | null;
}

/** How long what can be taken back is offered, in milliseconds; an error stays until it is closed. */
const OFFER_MS = 20_000;
/** How long what is only told is shown. */
const TOLD_MS = 7000;
/** More than these would hide the page. */
const MOST = 3;

export class Notices {
  #list = $state.raw<readonly Notice[]>([]);
  #next = 1;
  readonly #explain: (error: NamesakeError) => string;

  /** `explain` words an error. */
  constructor(explain: (error: NamesakeError) => string) {
    this.#explain = explain;
  }

  get list(): readonly Notice[] {
    return this.#list;
  }

  /** Does `work`; tells its error and gives false where it fails. */
  async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** Tells an error. A lost connection is not told: the frame says it as long as it lasts. */
  fail(cause: unknown): void {
    const error = toNamesakeError(cause);
    if (error.code === 'door.lost' || error.code === 'cancelled') return;
    const details = `${error.code}: ${error.detail}`;
    if (this.#list.some((notice) => notice.details === details)) return;
    this.#add({ tone: 'bad', words: () => this.#explain(error), details, action: null });
  }

  /** Tells that something was done; `undo` takes it back. Returns its id, for what is no longer to be offered. */
  tell(words: () => string, undo: Notice['action'] = null): number {
    const id = this.#add({ tone: 'plain', words, details: null, action: undo });
    setTimeout(() => this.close(id), undo === null ? TOLD_MS : OFFER_MS);
    return id;
  }

  close(id: number): void {
    this.#list = this.#list.filter((notice) => notice.id !== id);
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = this.#next++;
    this.#list = [...this.#list, { id, ...notice }].slice(-MOST);
    return id;
  }
}
