// Refusals: what the door turns away, as an answer with a code and as one line in the log. Lines never hold what a stranger
// sent: a reason is one of ours.
import type { NamesakeError, ErrorCode } from '../../shared/errors.ts';

/** A line in the log about a refusal. */
export interface RefusalLine {
  code: ErrorCode;
  reason: string;
  /** The session's name, or the address of one without. */
  who: string;
  /** How often the same was refused since the line before, where that is more than once. */
  times?: number;
}

/** The same refusal of the same asker is said once in this time, then counted: a flood must not fill the disk. */
const QUIET_MS = 10_000;
const MAX_REMEMBERED = 256;
/** Who asks where so many are refused that they are no longer told apart: a flood may come from as many addresses as it likes. */
const MANY = 'many';

const statuses: Partial<Record<ErrorCode, number>> = {
  'request.invalid': 400,
  'door.unauthorized': 401,
  'door.refused': 403,
  'request.unknown': 404,
  'file.unknown': 404,
  'request.too_large': 413,
  'file.too_large': 413,
  'request.too_many': 429,
  'disk.full': 507,
};

/** The HTTP status that says the same as a code. */
export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500;
}

function keyOf({ code, detail }: NamesakeError, who: string): string {
  return `${code} ${detail} ${who}`;
}

export class Refusals {
  readonly #write: (line: RefusalLine) => void;
  readonly #now: () => number;
  readonly #seen = new Map<string, { error: NamesakeError; who: string; at: number; more: number }>();

  constructor(write: (line: RefusalLine) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** Notes that `who` was refused. The error's detail must be a reason of ours. */
  note(error: NamesakeError, who: string): void {
    const known = this.#seen.get(keyOf(error, who));
    if (known !== undefined && this.#now() - known.at < QUIET_MS) {
      known.more += 1;
      return;
    }
    this.flush();
    if (this.#seen.size >= MAX_REMEMBERED && who !== MANY) return this.note(error, MANY);
    this.#seen.set(keyOf(error, who), { error, who, at: this.#now(), more: 0 });
    this.#write({ code: error.code, reason: error.detail, who });
  }

  /** Says how often refusals came again whose quiet time is over; with `all` of all. To be called now and then. */
  flush(all = false): void {
    for (const [key, seen] of this.#seen) {
      if (!all && this.#now() - seen.at < QUIET_MS) continue;
      this.#summary(seen);
      this.#seen.delete(key);
    }
  }

  #summary({ error, who, more }: { error: NamesakeError; who: string; more: number }): void {
    if (more > 0) this.#write({ code: error.code, reason: error.detail, who, times: more });
  }
}
