// Api: the page's one way to the core, typed by shared/api.ts and the same over both doors.
import type { ApiEvent, RequestInput, RequestName, RequestResult, Reply } from '../shared/api.ts';
import { isErrorCode, NamesakeError } from '../shared/errors.ts';
import type { FileKind, HandedFile } from '../shared/window-api.ts';
import type { Connection, Transport } from './door/transport.ts';

export type { Connection };
export type EventName = ApiEvent['event'];
export type EventOf<Name extends EventName> = Extract<ApiEvent, { event: Name }>;

/** The result in a reply; throws what it says went wrong. */
function resultOf(reply: Reply): unknown {
  if (reply.ok) return reply.result;
  const { code, detail, params } = reply.error;
  throw isErrorCode(code) ? new NamesakeError(code, detail, params) : new NamesakeError('internal', `${String(code)}: ${detail}`);
}

export class Api {
  readonly #transport: Transport;
  readonly #listeners = new Map<EventName, Set<(event: ApiEvent) => void>>();
  readonly #onConnection = new Set<(connection: Connection) => void>();
  #connection: Connection = 'connecting';

  /** Connects at once and, where the transport can, again whenever the connection breaks. */
  constructor(transport: Transport) {
    this.#transport = transport;
    transport.start({
      onEvents: (events) => events.forEach((event) => this.#tell(event)),
      onConnection: (connection) => this.#connect(connection),
    });
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', this.#tellVisibility);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Asks the core. Throws NamesakeError: the core's own, or door.lost where its answer can no longer come. */
  async request<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>> {
    return resultOf(await this.#transport.request(name, input)) as RequestResult<Name>;
  }

  /** Hands a file of the person's to the core and gives its id there. Throws NamesakeError. */
  async handOver(file: File, kind: FileKind): Promise<HandedFile> {
    return resultOf(await this.#transport.handOver(file, kind)) as HandedFile;
  }

  /** Whether the door itself can ask for a file; a browser's page asks by an input of its own. */
  get asksForFiles(): boolean {
    return this.#transport.chooseFile !== undefined;
  }

  /** Asks the person for a file by the door's own dialog; null where they choose none. Throws NamesakeError. */
  async chooseFile(kind: FileKind): Promise<HandedFile | null> {
    if (this.#transport.chooseFile === undefined) throw new NamesakeError('door.unsupported', 'files are chosen in the page');
    return resultOf(await this.#transport.chooseFile(kind)) as HandedFile | null;
  }

  /**
   * Hears events of one kind from now on; returns the un-listener. `lost` comes from the core and after each reconnection
   * alike: whoever shows state asks for it again then.
   */
  on<Name extends EventName>(name: Name, listener: (event: EventOf<Name>) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    const own = listener as (event: ApiEvent) => void;
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Hears how the connection is, now and at every change; returns the un-listener. */
  onConnection(listener: (connection: Connection) => void): () => void {
    this.#onConnection.add(listener);
    listener(this.#connection);
    return () => void this.#onConnection.delete(listener);
  }

  /** Ends the connection for good. */
  close(): void {
    if (typeof document !== 'undefined') document.removeEventListener('visibilitychange', this.#tellVisibility);
    this.#transport.close();
  }

  /** A page that nobody sees hears less often, and costs next to nothing. What breaks meanwhile is told again when it is back. */
  readonly #tellVisibility = (): void => {
    if (this.#connection === 'open') this.request('window.visible', { visible: !document.hidden }).catch(() => undefined);
  };

  #connect(connection: Connection): void {
    const before = this.#connection;
    this.#connection = connection;
    if (connection === 'open' && typeof document !== 'undefined') this.#tellVisibility();
    for (const listener of [...this.#onConnection]) listener(connection);
    if (connection === 'open' && before !== 'connecting') this.#tell({ event: 'lost' });
  }

  #tell(event: ApiEvent): void {
    for (const listener of [...(this.#listeners.get(event.event) ?? [])]) listener(event);
  }
}
