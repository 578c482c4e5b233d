// IPC: the one router of everything that a page sends. Every message passes the sender check; every answer is a Reply.
import { BrowserWindow, ipcMain, type IpcMainEvent, type IpcMainInvokeEvent, type WebContents } from 'electron';
import type { ApiEvent, Reply } from '../../shared/api.ts';
import { NamesakeError, toNamesakeError } from '../../shared/errors.ts';
import { channels } from '../../shared/window-api.ts';
import type { Api } from '../api/api.ts';
import type { EventWindow } from '../api/event-hub.ts';
import { traceOf, type Log } from '../log.ts';
import { TokenBucket } from '../token-bucket.ts';
import { APP_ORIGIN } from './protocol.ts';

/** Requests of one page: a person makes few, a page that went wild makes thousands. */
const RATE = { burst: 200, per_second: 50 };
/** A flood is one line of the log, and one more each time this has passed. */
const FLOOD_LOG_MS = 10_000;

export interface IpcOptions {
  api: Pick<Api, 'request' | 'subscribe'>;
  log: Log;
  /** Files, by the page's channel for them. */
  chooseFile: (window: BrowserWindow, kind: unknown) => Promise<unknown>;
  dropFile: (path: unknown, kind: unknown) => unknown;
}

/** A page as the event hub sees it: one batch of events at a time, and none while it loads. */
class Page implements EventWindow {
  readonly rate = new TokenBucket(RATE, () => performance.now());
  readonly #contents: WebContents;
  #ready = false;
  /** Whether the page that is being left was ready: it is again where it stays after all. */
  #wasReady = false;
  /** When a flood was logged last (performance.now()). */
  floodLogged = -Infinity;

  constructor(contents: WebContents) {
    this.#contents = contents;
  }

  send(events: ApiEvent[]): void {
    this.#ready = false;
    this.#contents.send(channels.events, events);
  }

  ready(): boolean {
    return this.#ready && !this.#contents.isDestroyed();
  }

  /** The page listens, and has taken what it was sent. */
  taken(): void {
    this.#ready = true;
  }

  /** Another page is on its way: what comes meanwhile waits for it. */
  leave(): void {
    this.#wasReady ||= this.#ready;
    this.#ready = false;
  }

  /** Another page has come. It says itself when it listens, and may have done so already. */
  arrived(): void {
    this.#wasReady = false;
  }

  /** The page's process is gone. */
  gone(): void {
    this.#wasReady = false;
    this.#ready = false;
  }

  /** Nothing loads any more: where no other page came (it was refused, or aborted), this one still listens. */
  settled(): void {
    this.#ready ||= this.#wasReady;
    this.#wasReady = false;
  }
}

/** Whether a message comes from the app's own page in the main frame of one of its windows. */
export function isOwnSender(event: Pick<IpcMainInvokeEvent, 'senderFrame' | 'sender'>): boolean {
  const frame = event.senderFrame;
  return (
    frame !== null &&
    frame.parent === null &&
    frame.frameTreeNodeId === event.sender.mainFrame.frameTreeNodeId &&
    frame.origin === APP_ORIGIN &&
    BrowserWindow.fromWebContents(event.sender) !== null
  );
}

export class IpcRouter {
  readonly #options: IpcOptions;
  readonly #pages = new Map<WebContents, Page>();

  /** Answers pages from now on. */
  constructor(options: IpcOptions) {
    this.#options = options;
    this.#handle(channels.request, (event, name, input) => options.api.request(name, input, this.#pages.get(event.sender) ?? null));
    this.#handle(channels.chooseFile, async (event, kind) => {
      const window = BrowserWindow.fromWebContents(event.sender);
      return { ok: true, result: window === null ? null : await options.chooseFile(window, kind) };
    });
    this.#handle(channels.dropFile, (_event, path, kind) => ({ ok: true, result: options.dropFile(path, kind) }));
    ipcMain.on(channels.eventsTaken, (event) => {
      if (!this.#refuse(event, channels.eventsTaken)) this.#pages.get(event.sender)?.taken();
    });
  }

  /** Lets a window's page hear the core's events until it is destroyed. */
  connect(contents: WebContents): void {
    const page = new Page(contents);
    this.#pages.set(contents, page);
    const leave = this.#options.api.subscribe(page);
    // Begins before the guards are asked, so that it may lead nowhere.
    contents.on('did-start-navigation', ({ isMainFrame, isSameDocument }) => {
      if (isMainFrame && !isSameDocument) page.leave();
    });
    contents.on('did-navigate', () => page.arrived());
    contents.on('did-stop-loading', () => page.settled());
    contents.on('render-process-gone', () => page.gone());
    contents.once('destroyed', () => {
      this.#pages.delete(contents);
      leave();
    });
  }

  #handle(channel: string, answer: (event: IpcMainInvokeEvent, ...args: unknown[]) => Reply | Promise<Reply>): void {
    ipcMain.handle(channel, async (event, ...args: unknown[]): Promise<Reply> => {
      const refused = this.#refuse(event, channel) ?? this.#limit(event.sender, channel);
      if (refused !== null) return refused;
      try {
        return await answer(event, ...args);
      } catch (error) {
        return this.#failure(channel, error);
      }
    });
  }

  /** The answer to a sender that may not ask, after one line of log; null for the app's own page. */
  #refuse(event: IpcMainEvent | IpcMainInvokeEvent, channel: string): Reply | null {
    if (isOwnSender(event)) return null;
    const from = JSON.stringify(event.senderFrame?.origin?.slice(0, 100) ?? 'a frame that is gone');
    this.#options.log.warn({ channel, code: 'door.refused', door: 'desktop', from }, 'refused');
    return { ok: false, error: { code: 'door.refused', detail: 'not the main frame of the app’s own page', params: {} } };
  }

  #limit(contents: WebContents, channel: string): Reply | null {
    const page = this.#pages.get(contents);
    if (page === undefined || page.rate.take()) return null;
    if (page.floodLogged < performance.now() - FLOOD_LOG_MS) {
      page.floodLogged = performance.now();
      this.#options.log.warn({ channel, code: 'request.too_many', door: 'desktop' }, 'refused');
    }
    return { ok: false, error: { code: 'request.too_many', detail: `more than ${RATE.per_second} requests a second`, params: {} } };
  }

  #failure(channel: string, error: unknown): Reply {
    const { code, detail, params } = toNamesakeError(error);
    if (!(error instanceof NamesakeError)) {
      this.#options.log.error({ channel, code: 'internal', door: 'desktop', ...traceOf(error) }, 'failed unexpectedly');
      return { ok: false, error: { code: 'internal', detail: `${channel}; the log has the rest`, params: {} } };
    }
    this.#options.log.warn({ channel, code, door: 'desktop' }, 'refused');
    return { ok: false, error: { code, detail, params } };
  }
}
