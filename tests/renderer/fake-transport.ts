// A transport whose other side is the test.
import type { ApiEvent, Reply, RequestName } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Connection, Transport, TransportListener } from '../../renderer/door/transport.ts';

export interface Asked {
  name: RequestName;
  input: unknown;
  answer(result: unknown): void;
  refuse(error: NamesakeError): void;
  breakOff(): void;
}

export class FakeTransport implements Transport {
  /** Requests that are not answered yet, in order. */
  readonly asked: Asked[] = [];
  readonly handed: string[] = [];
  closed = false;
  #listener: TransportListener | null = null;

  start(listener: TransportListener): void {
    this.#listener = listener;
  }

  request(name: RequestName, input: unknown): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const done = (): void => void this.asked.splice(this.asked.indexOf(asked), 1);
      const asked: Asked = {
        name,
        input,
        answer: (result) => {
          done();
          resolve({ ok: true, result });
        },
        refuse: ({ code, detail, params }) => {
          done();
          resolve({ ok: false, error: { code, detail, params } });
        },
        breakOff: () => {
          done();
          reject(new NamesakeError('door.lost', 'the connection broke'));
        },
      };
      this.asked.push(asked);
    });
  }

  handOver(file: File): Promise<Reply> {
    this.handed.push(file.name);
    return Promise.resolve({ ok: true, result: { file: '0'.repeat(32), name: file.name } });
  }

  close(): void {
    this.closed = true;
  }

  tell(...events: ApiEvent[]): void {
    this.#listener?.onEvents(events);
  }

  connect(connection: Connection): void {
    this.#listener?.onConnection(connection);
  }
}

/** Lets everything that waits for promises go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
