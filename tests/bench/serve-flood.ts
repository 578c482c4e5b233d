// A flood at the browser door: so many requests a second, half of them from a stranger, half from a session gone wild.
import { Agent, request as httpRequest } from 'node:http';
import { Client } from '../support/door-client.ts';

/** How a flood was answered: how often by each HTTP status, and each code over the web socket. */
export interface FloodReport {
  sent: number;
  seconds: number;
  http: Record<string, number>;
  socket: Record<string, number>;
  /** Requests that broke or were never answered. */
  unanswered: number;
}

const TICK_MS = 10;
/** Beyond so many open requests none is added: a machine that cannot keep up lowers the rate, it piles up no queue of its own. */
const MOST_OPEN = 500;

/** A socket of a session that may just have used up its measure: tried until there is room for it. */
async function openSocket(port: number, cookie: string): Promise<Client> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const client = new Client(port, { cookie });
    if ((await client.opened()) === 101) return client;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('no socket was let in');
}

/** Sends `rate` requests a second for `seconds`; `cookie` is of the session that goes wild. */
export async function flood(port: number, cookie: string, rate: number, seconds: number): Promise<FloodReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const report: FloodReport = { sent: 0, seconds: 0, http: {}, socket: {}, unanswered: 0 };
  const count = (of: Record<string, number>, key: string): void => {
    of[key] = (of[key] ?? 0) + 1;
  };
  let open = 0;
  const http = (headers: Record<string, string>): void => {
    open += 1;
    httpRequest({ host: '127.0.0.1', port, path: '/', agent, headers: { host: `127.0.0.1:${port}`, ...headers } }, (response) => {
      count(report.http, String(response.statusCode));
      response.resume().on('close', () => (open -= 1));
    })
      .on('error', () => {
        open -= 1;
        report.unanswered += 1;
      })
      .end();
  };
  const client = await openSocket(port, cookie);
  const socket = async (): Promise<void> => {
    open += 1;
    try {
      const reply = await client.ask('runs.list', {});
      count(report.socket, reply.ok ? 'ok' : reply.error.code);
    } catch {
      report.unanswered += 1;
    }
    open -= 1;
  };
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  while (elapsed() < seconds) {
    // As many as are due by now: a tick that came late makes up for it.
    for (const due = Math.floor(elapsed() * rate); report.sent < due && open < MOST_OPEN; report.sent++) {
      if (report.sent % 2 === 0) http({});
      else if (report.sent % 4 === 1) http({ cookie });
      else void socket();
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  report.seconds = elapsed();
  const end = performance.now() + 10_000;
  while (open > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  report.unanswered += open;
  agent.destroy();
  client.socket.terminate();
  return report;
}
