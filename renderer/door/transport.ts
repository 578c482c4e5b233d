// Transport: how the page's requests and the core's events travel. There are two, one for each window door.
import type { ApiEvent, Reply, RequestName } from '../../shared/api.ts';
import type { FileKind } from '../../shared/window-api.ts';

/** connecting = for the first time; lost = was open and tries again; signed_out = this browser may no longer ask. */
export type Connection = 'connecting' | 'open' | 'lost' | 'signed_out';

export interface TransportListener {
  onEvents(events: ApiEvent[]): void;
  onConnection(connection: Connection): void;
}

export interface Transport {
  /** Begins to connect; called once. */
  start(listener: TransportListener): void;
  /** Asks once. Rejects with door.lost where the answer can no longer come; what was sent is never sent again. */
  request(name: RequestName, input: unknown): Promise<Reply>;
  /** Hands a file of the person's over; the result is a HandedFile. */
  handOver(file: File, kind: FileKind): Promise<Reply>;
  /** Asks the person for a file; the result is a HandedFile, or null. Not there where the page has to ask itself. */
  chooseFile?(kind: FileKind): Promise<Reply>;
  /** Ends the connection for good. */
  close(): void;
}
