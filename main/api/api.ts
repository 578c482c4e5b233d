// API: the one way in for windows, the same behind every door. It parses what they send, answers errors by code and never
// throws.
import { z } from 'zod';
import { isRequestName, requests, type Reply, type RequestName } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Core } from '../core.ts';
import { diskError } from '../disk.ts';
import { traceOf } from '../log.ts';
import type { Door } from './door.ts';
import { EventHub, type EventWindow } from './event-hub.ts';
import type { ApiContext, Handler } from './handlers.ts';
import { app } from './handlers/app.ts';
import { chats } from './handlers/chats.ts';
import { drafts } from './handlers/drafts.ts';
import { exporting } from './handlers/export.ts';
import { models } from './handlers/models.ts';
import { rows } from './handlers/rows.ts';
import { runs } from './handlers/runs.ts';
import { settings } from './handlers/settings.ts';
import { checkInput } from './input.ts';
import { RunDesk } from './run-desk.ts';

/** Every request of the contract has a handler: where one is missing, this line does not compile. */
const handlers: { [Name in RequestName]: Handler<Name> } = { ...app, ...settings, ...models, ...drafts, ...rows, ...runs, ...chats, ...exporting };

/** What zod has to say about an input, first things first, in a few words. */
function complaint(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.') || 'input'}: ${message}`)
    .join('; ')
    .slice(0, 300);
}

export class Api {
  readonly #context: ApiContext;

  /** The API of a home's core behind one door, for any number of windows. */
  constructor(core: Core, door: Door) {
    const hub = new EventHub((present) => runs.watch(present));
    const runs = new RunDesk(core, (event) => hub.tell(event));
    this.#context = { core, door, hub, runs };
  }

  /** Answers a request of a window. Never throws: whatever is wrong with it is in the reply, by code. */
  async request(name: unknown, input: unknown): Promise<Reply> {
    try {
      if (!isRequestName(name)) throw new NamesakeError('request.unknown', typeof name === 'string' ? name.slice(0, 60) : typeof name);
      return { ok: true, result: await this.#answer(name, input) };
    } catch (error) {
      return { ok: false, error: this.#refusal(isRequestName(name) ? name : 'unknown', error) };
    }
  }

  async #answer<Name extends RequestName>(name: Name, input: unknown): Promise<unknown> {
    checkInput(input);
    const parsed = requests[name].input.safeParse(input ?? {});
    if (!parsed.success) throw new NamesakeError('request.invalid', complaint(parsed.error));
    return (handlers[name] as (context: ApiContext, input: unknown) => unknown)(this.#context, parsed.data);
  }

  /** An error as it crosses the door, after one line of log. */
  #refusal(name: string, error: unknown): Extract<Reply, { ok: false }>['error'] {
    const { core, door } = this.#context;
    const known = error instanceof NamesakeError ? error : diskError(error, core.home.folder);
    if (known !== null && known.code !== 'internal') {
      core.log.warn({ request: name, code: known.code, door: door.kind }, 'refused');
      return { code: known.code, detail: known.detail, params: known.params };
    }
    core.log.error({ request: name, code: 'internal', door: door.kind, ...traceOf(error) }, 'failed unexpectedly');
    return { code: 'internal', detail: `${name}; the log has the rest`, params: {} };
  }

  /** Lets a window hear events from now on, merged, at most ten times a second; returns what ends that. */
  subscribe(window: EventWindow): () => void {
    return this.#context.hub.subscribe(window);
  }

  /** The run that this process trains, for doors that ask before they close. */
  get activeRun(): string | null {
    return this.#context.runs.active;
  }

  /** Ends what runs, keeping what it has: a run saves its checkpoint. The core is closed after this. */
  async close(): Promise<void> {
    const { core, runs } = this.#context;
    runs.watch(false);
    if (runs.active !== null) core.runs.pause(runs.active);
    await runs.ended();
  }
}
