// Tabs as a person has them: one window of a browser, one tab in front and the others behind it. Playwright tells every page
// that it is seen; here Chromium decides.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startBrowser, type Browser } from '../e2e/standin/browser.ts';
import { childrenOf } from '../support/processes.ts';

/** Seconds of processor time that a process has used; 0 for one that has gone. */
export function processorSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** A process and all that it started. */
function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

interface Answer {
  id?: number;
  result?: unknown;
  error?: { message: string };
}

export class TabbedBrowser {
  readonly #browser: Browser;
  readonly #pid: number;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #sessions: string[] = [];
  #next = 1;

  private constructor(browser: Browser, pid: number, socket: WebSocket) {
    this.#browser = browser;
    this.#pid = pid;
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString('utf8')) as Answer;
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
  }

  static async open(): Promise<TabbedBrowser> {
    const before = new Set(childrenOf(process.pid));
    const browser = await startBrowser();
    const pid = childrenOf(process.pid).find((child) => !before.has(child)) ?? 0;
    const socket = new WebSocket(browser.address);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new TabbedBrowser(browser, pid, socket);
  }

  async #ask<Result>(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    const id = this.#next++;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    const { result, error } = await answered;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as Result;
  }

  /** What an expression is in the page; null in the moment in which one page gives way to another. */
  async #evaluate(session: string, expression: string): Promise<unknown> {
    const asked = this.#ask<{ result: { value?: unknown } }>('Runtime.evaluate', { expression }, session);
    return asked.then(({ result }) => result.value).catch(() => null);
  }

  /** Opens a tab in front of the others and waits until it has loaded; its address then. */
  async openTab(url: string): Promise<string> {
    const { targetId } = await this.#ask<{ targetId: string }>('Target.createTarget', { url });
    const { sessionId } = await this.#ask<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    this.#sessions.push(sessionId);
    for (const end = Date.now() + 60_000; (await this.#evaluate(sessionId, 'document.readyState')) !== 'complete'; await sleep(50)) {
      if (Date.now() > end) throw new Error(`a tab has not loaded within a minute: ${url}`);
    }
    return String(await this.#evaluate(sessionId, 'location.href'));
  }

  /** How many of the tabs are seen. */
  async seen(): Promise<number> {
    const states = await Promise.all(this.#sessions.map((session) => this.#evaluate(session, 'document.visibilityState')));
    return states.filter((state) => state === 'visible').length;
  }

  /** Seconds of processor time of all its processes. */
  processorSeconds(): number {
    return familyOf(this.#pid).reduce((sum, pid) => sum + processorSeconds(pid), 0);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#browser.close();
  }
}
