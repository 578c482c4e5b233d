// API: the one way in for windows, the same behind every door. It parses what they send, answers errors by code and never
// throws.
import type { z } from 'zod';
import { isRequestName, requests, type ApiEvent, type Reply, type RequestName } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Core } from '../core.ts';
import { diskError } from '../disk.ts';
import { traceOf } from '../log.ts';
import { asTrainer } from '../services/trainer-lock.ts';
import { wipe } from '../services/wipe.ts';
import type { Door } from './door.ts';
import { EventHub, type EventWindow } from './event-hub.ts';
import { ExportDesk } from './export-desk.ts';
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
import { Queue } from './queue.ts';
import { RunDesk } from './run-desk.ts';

/** Every request of the contract has a handler: where one is missing, this line does not compile. */
const handlers: { [Name in RequestName]: Handler<Name> } = { ...app, ...settings, ...models, ...drafts, ...rows, ...runs, ...chats, ...exporting };

/** How long chats keep their engines when nobody has a window open any more: who reloads a page, or comes back soon, waits for nothing. */
const CHATS_REST_MS = 5 * 60_000;

/** What zod has to say about an input, first things first, in a few words. */
function complaint(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.') || 'input'}: ${message}`)
    .join('; ')
    .slice(0, 300);
}

export class Api {
  readonly #core: Core;
  readonly #door: Door;
  readonly #hub: EventHub;
  readonly #runs: RunDesk;
  readonly #context: Omit<ApiContext, 'window'>;
  #unlisten: (() => void)[] = [];
  #resting: NodeJS.Timeout | null = null;

  /**
   * The API of a home's core behind one door, for any number of windows. Throws home.newer, home.damaged, disk.full or
   * disk.unwritable where the home cannot be used.
   */
  constructor(core: Core, door: Door) {
    this.#core = core;
    this.#door = door;
    core.useWindows();
    this.#hub = new EventHub((present) => {
      this.#runs.watch(present);
      this.#restChats(!present);
    });
    this.#runs = new RunDesk(core, (event) => this.#hub.tell(event));
    this.#context = {
      core,
      door,
      hub: this.#hub,
      runs: this.#runs,
      exports: new ExportDesk((event) => this.#hub.tell(event)),
      queues: { chat: new Queue(), check: new Queue(), export: new Queue() },
      deleteEverything: () => this.#deleteEverything(),
    };
    this.#listen();
  }

  /** Lets chats rest every few minutes from now on, or no more: an answer that is being spoken then is seen to the next time. */
  #restChats(on: boolean): void {
    if (this.#resting !== null) clearInterval(this.#resting);
    const rest = (): void => void this.#core.chat.rest().catch((error: unknown) => this.#core.log.warn(traceOf(error), 'chats could not rest'));
    this.#resting = on ? setInterval(rest, CHATS_REST_MS).unref() : null;
  }

  /** Hears what services tell, for the windows. */
  #listen(): void {
    const { models, chat, settings, tokens } = this.#core;
    this.#unlisten = [
      models.onDownload((state) => {
        this.#hub.tell({ event: 'download', ...state });
        if (state.state === 'done') this.#hub.tell({ event: 'models' });
      }),
      chat.onText((piece) => this.#hub.tell({ event: 'text', ...piece })),
      chat.onChange((changed) => this.#hub.tell({ event: 'chat', chat: changed })),
      settings.onChange((changed) => this.#hub.tell({ event: 'settings', settings: changed })),
    ];
    // A keychain may ask the person first: only what needs the tokens waits for them.
    tokens.load().catch((error: unknown) => this.#core.log.warn(traceOf(error), 'the tokens could not be read'));
  }

  /** Answers a request of a window that subscribed. Never throws: whatever is wrong with it is in the reply, by code. */
  async request(name: unknown, input: unknown, window: EventWindow | null = null): Promise<Reply> {
    try {
      if (!isRequestName(name)) throw new NamesakeError('request.unknown', typeof name === 'string' ? name.slice(0, 60) : typeof name);
      return { ok: true, result: await this.#answer(name, input, window) };
    } catch (error) {
      return { ok: false, error: this.#refusal(isRequestName(name) ? name : 'unknown', error) };
    }
  }

  async #answer(name: RequestName, input: unknown, window: EventWindow | null): Promise<unknown> {
    checkInput(input);
    const parsed = requests[name].input.safeParse(input ?? {});
    if (!parsed.success) throw new NamesakeError('request.invalid', complaint(parsed.error));
    // Name and input belong together by the line above, which the type of a union of functions cannot say.
    const handler = handlers[name] as (context: ApiContext, input: unknown) => unknown;
    return handler({ ...this.#context, window }, parsed.data);
  }

  /** An error as it crosses the door, after one line of log. */
  #refusal(request: string, error: unknown): Extract<Reply, { ok: false }>['error'] {
    const door = this.#door.kind;
    const known = error instanceof NamesakeError ? error : diskError(error, this.#core.home.folder);
    if (known !== null && known.code !== 'internal') {
      this.#core.log.warn({ request, code: known.code, door }, 'refused');
      return { code: known.code, detail: known.detail, params: known.params };
    }
    this.#core.log.error({ request, code: 'internal', door, ...traceOf(error) }, 'failed unexpectedly');
    return { code: 'internal', detail: `${request}; logs/namesake.log says where`, params: {} };
  }

  /** Lets a window hear events from now on, merged, at most ten times a second, or once where nobody sees it; returns what ends that. */
  subscribe(window: EventWindow): () => void {
    return this.#hub.subscribe(window);
  }

  /** Tells every window what its door has to say; one that loads hears it when it listens. */
  tell(event: ApiEvent): void {
    this.#hub.tell(event);
  }

  /** The run that this process trains, for doors that ask before they close. */
  get activeRun(): string | null {
    return this.#runs.own;
  }

  /** Ends what runs, keeping what it has: a run pauses with a checkpoint. The core can be closed after this. */
  async close(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten();
    this.#restChats(false);
    await Promise.all([this.#runs.close(), this.#core.chat.closeAll(), this.#core.models.close()]);
  }

  async #deleteEverything(): Promise<void> {
    const core = this.#core;
    await Promise.all([this.#runs.end('cancel'), core.chat.closeAll(), core.rowLives.close(), core.models.close()]);
    // Nobody begins to train meanwhile; where another process does already, nothing is removed.
    await asTrainer(core.home, async () => {
      for (const { id, here, download } of await core.models.list()) if (here || download !== null) await core.models.remove(id);
      for (const unlisten of this.#unlisten) unlisten();
      core.close();
      try {
        wipe(core.home);
      } finally {
        // Also where something could not be removed: the windows go on with what is left.
        this.#listen();
        this.#hub.tell({ event: 'lost' });
      }
    });
  }
}
