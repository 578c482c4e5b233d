// Handlers: what answers the requests of the contract, by noun.
import type { ParsedInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { Core } from '../core.ts';
import type { Door } from './door.ts';
import type { EventHub, EventWindow } from './event-hub.ts';
import type { ExportDesk } from './export-desk.ts';
import type { Queue } from './queue.ts';
import type { RunDesk } from './run-desk.ts';

/** What handlers work with. */
export interface ApiContext {
  core: Core;
  door: Door;
  hub: EventHub;
  runs: RunDesk;
  exports: ExportDesk;
  /** The window that asks; null where nobody listens behind the request. */
  window: EventWindow | null;
  /** For what starts an engine host of its own, by how long it takes: a chat does not wait for an export. */
  queues: Readonly<Record<'chat' | 'check' | 'export', Queue>>;
  /** Ends what runs, removes all of the user's data, and begins anew. */
  deleteEverything: () => Promise<void>;
}

export type Handler<Name extends RequestName> = (
  context: ApiContext,
  input: ParsedInput<Name>,
) => RequestResult<Name> | Promise<RequestResult<Name>>;

/** The handlers of some nouns: "runs" stands for every request that begins with "runs.". */
export type HandlersOf<Noun extends string> = {
  [Name in Extract<RequestName, `${Noun}.${string}`>]: Handler<Name>;
};
