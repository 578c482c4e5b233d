// Handlers: what answers each request of the contract. One is missing: it does not compile.
import type { ParsedInput, RequestName, RequestResult } from '../../shared/api.ts';
import type { Core } from '../core.ts';
import type { Door } from './door.ts';
import type { EventHub } from './event-hub.ts';
import type { RunDesk } from './run-desk.ts';

/** What handlers work with. */
export interface ApiContext {
  core: Core;
  door: Door;
  hub: EventHub;
  runs: RunDesk;
}

export type Handler<Name extends RequestName> = (
  context: ApiContext,
  input: ParsedInput<Name>,
) => RequestResult<Name> | Promise<RequestResult<Name>>;

/** The handlers of some nouns: "runs" stands for every request that begins with "runs.". */
export type HandlersOf<Noun extends string> = {
  [Name in Extract<RequestName, `${Noun}.${string}`>]: Handler<Name>;
};
