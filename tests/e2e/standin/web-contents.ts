// WebContents: a page of the browser, driven over CDP: its frames, its two worlds, what it loads and where it may go.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { toApp, toBrowser } from './address.ts';
import type { Cdp, Fields } from './cdp.ts';
import { ipcMain } from './ipc-main.ts';
import { preventable, record } from './record.ts';
import { schemes, session } from './session.ts';
import { mainWorld, preloadWorld } from './worlds.ts';

export interface WebPreferences {
  preload?: string;
  additionalArguments?: string[];
  nodeIntegrationInSubFrames?: boolean;
  [name: string]: unknown;
}

/** What Electron takes where the app says nothing. */
const DEFAULTS: WebPreferences = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  enableBlinkFeatures: '',
  webviewTag: false,
};

/** The browser's names of permissions, and Electron's. */
const PERMISSIONS = { geolocation: 'geolocation', notifications: 'notifications', midi: 'midi', camera: 'media', microphone: 'media' };

export class Frame {
  readonly id: string;
  readonly frameTreeNodeId: number;
  parent: Frame | null;
  url = '';
  origin = 'null';
  static #next = 1;

  constructor(id: string, parent: Frame | null) {
    this.id = id;
    this.parent = parent;
    this.frameTreeNodeId = Frame.#next++;
  }

  get top(): Frame {
    return this.parent?.top ?? this;
  }
}

interface Navigated {
  id: string;
  parentId?: string;
  url: string;
  securityOrigin?: string;
}

type OpenHandler = (details: { url: string }) => { action: 'deny' | 'allow' };

export class WebContents extends EventEmitter {
  readonly id: number;
  readonly #cdp: Cdp;
  readonly #preferences: WebPreferences;
  readonly #bridge = `standin-${randomBytes(8).toString('hex')}`;
  readonly #frames = new Map<string, Frame>();
  /** Frames of the preload's world, by context. */
  readonly #contexts = new Map<number, Frame>();
  #main: Frame = new Frame('', null);
  #session = '';
  #target = '';
  #url = '';
  #expected: string | null = null;
  #openHandler: OpenHandler = () => ({ action: 'allow' });
  #destroyed = false;
  #crashed = false;
  #unlisten: (() => void)[] = [];
  #attached: Promise<void>;
  static #next = 1;

  constructor(cdp: Cdp, preferences: WebPreferences) {
    super();
    this.id = WebContents.#next++;
    this.#cdp = cdp;
    this.#preferences = { ...DEFAULTS, ...preferences };
    this.#attached = this.#attach();
  }

  get mainFrame(): Frame {
    return this.#main;
  }

  /** The browser's id of the page, by which a test finds it. */
  get target(): string {
    return this.#target;
  }

  get session(): typeof session.defaultSession {
    return session.defaultSession;
  }

  getLastWebPreferences(): WebPreferences {
    return this.#preferences;
  }

  getURL(): string {
    return this.#url;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  isCrashed(): boolean {
    return this.#crashed;
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#openHandler = handler;
  }

  #send(method: string, params: object = {}): Promise<Fields> {
    return this.#cdp.send(method, params, this.#session);
  }

  async #attach(): Promise<void> {
    const { targetId } = (await this.#cdp.send('Target.createTarget', { url: 'about:blank' })) as Fields & { targetId: string };
    this.#target = targetId;
    const { sessionId } = (await this.#cdp.send('Target.attachToTarget', { targetId, flatten: true })) as Fields & { sessionId: string };
    this.#session = sessionId;
    this.#main = new Frame(targetId, null);
    this.#frames.set(targetId, this.#main);
    this.#unlisten.push(
      this.#cdp.listen((method, params, from) => {
        if (from === sessionId) this.#hear(method, params);
      }),
    );
    await this.#send('Page.enable');
    await this.#send('Runtime.enable');
    await this.#send('DOM.enable');
    await this.#send('Inspector.enable');
    await this.#send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
    await this.#send('Runtime.addBinding', { name: 'standinSend', executionContextName: this.#bridge });
    await this.#send('Runtime.addBinding', { name: 'standinOpen' });
    await this.#send('Page.addScriptToEvaluateOnNewDocument', { source: mainWorld(this.#bridge) });
    const { preload } = this.#preferences;
    if (preload !== undefined) {
      const source = preloadWorld(this.#bridge, readFileSync(preload, 'utf8'), {
        argv: ['electron', ...(this.#preferences.additionalArguments ?? [])],
        subFrames: this.#preferences.nodeIntegrationInSubFrames === true,
      });
      await this.#send('Page.addScriptToEvaluateOnNewDocument', { source, worldName: this.#bridge });
    }
  }

  #hear(method: string, params: Fields): void {
    switch (method) {
      case 'Runtime.executionContextCreated':
        return this.#hearContext((params as unknown as { context: { id: number; name: string; auxData: { frameId: string } } }).context);
      case 'Runtime.executionContextDestroyed':
        return void this.#contexts.delete(params['executionContextId'] as unknown as number);
      case 'Runtime.executionContextsCleared':
        return this.#contexts.clear();
      case 'Runtime.bindingCalled':
        if (String(params['name']) === 'standinOpen') return this.#hearOpen(String(params['payload']));
        return void this.#hearPage(params as unknown as { payload: string; executionContextId: number });
      case 'Page.frameAttached':
        return void this.#frame(String(params['frameId']), String(params['parentFrameId']));
      case 'Page.frameNavigated':
        return this.#hearNavigated((params as unknown as { frame: Navigated }).frame);
      case 'Page.frameDetached':
        return void this.#frames.delete(String(params['frameId']));
      case 'Page.loadEventFired':
        this.emit('did-finish-load');
        return void this.emit('did-stop-loading');
      case 'Inspector.targetCrashed':
        this.#crashed = true;
        return void this.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 5 });
      case 'Fetch.requestPaused':
        return void this.#hearRequest(params as unknown as Paused).catch(() => undefined);
    }
  }

  #frame(id: string, parent?: string): Frame {
    const known = this.#frames.get(id);
    if (known !== undefined) return known;
    const frame = new Frame(id, parent === undefined ? this.#main : (this.#frames.get(parent) ?? this.#main));
    this.#frames.set(id, frame);
    return frame;
  }

  #hearContext(context: { id: number; name: string; auxData: { frameId: string } }): void {
    if (context.name === this.#bridge) this.#contexts.set(context.id, this.#frame(context.auxData.frameId));
  }

  #hearNavigated({ id, parentId, url, securityOrigin }: Navigated): void {
    const frame = this.#frame(id, parentId);
    frame.url = toApp(url);
    const origin = toApp(securityOrigin ?? '');
    frame.origin = origin === '://' || origin === '' ? 'null' : origin;
    if (frame.parent !== null) return;
    this.#url = frame.url;
    this.emit('did-navigate', {}, frame.url);
  }

  /** The page asks for a window; it gets none, whatever the app says. */
  #hearOpen(url: string): void {
    const { action } = this.#openHandler({ url: toApp(url) });
    record('window.open', toApp(url), action);
  }

  async #hearPage({ payload, executionContextId }: { payload: string; executionContextId: number }): Promise<void> {
    const senderFrame = this.#contexts.get(executionContextId);
    if (senderFrame === undefined) return;
    const message = JSON.parse(payload) as { kind: 'invoke' | 'send'; id: number; channel: string; args: unknown[] };
    const args = await Promise.all(message.args.map((arg) => this.#withPath(arg, executionContextId)));
    const event = { sender: this, senderFrame, frameId: senderFrame.frameTreeNodeId };
    if (message.kind === 'send') {
      ipcMain.emit(message.channel, event, ...args);
      return;
    }
    const [ok, value] = await ipcMain.invoked(message.channel, event, args).then(
      (result) => [true, result] as const,
      (error: unknown) => [false, `Error invoking remote method '${message.channel}': ${String(error)}`] as const,
    );
    await this.#callIn(executionContextId, 'standinSettle', [message.id, ok, value]);
  }

  /** The path of a file for the mark that a preload got in its place. */
  async #withPath(arg: unknown, executionContextId: number): Promise<unknown> {
    const index = typeof arg === 'string' ? /^standin-file:(\d+)$/.exec(arg)?.[1] : undefined;
    if (index === undefined) return arg;
    const evaluated = await this.#send('Runtime.evaluate', { expression: `standinFiles[${index}]`, contextId: executionContextId });
    const { objectId } = evaluated['result'] as unknown as { objectId: string };
    return (await this.#send('DOM.getFileInfo', { objectId }))['path'];
  }

  /** Calls a function of the preload's world; one whose page has gone hears nothing. */
  async #callIn(executionContextId: number, name: string, args: unknown[]): Promise<void> {
    await this.#send('Runtime.callFunctionOn', {
      executionContextId,
      functionDeclaration: `function (...args) { globalThis.${name}(...args); }`,
      arguments: args.map((value) => (value === undefined ? {} : { value })),
    }).catch(() => undefined);
  }

  /** Sends to the preload of the main frame. A page that is loading has none. */
  send(channel: string, ...args: unknown[]): void {
    if (this.#destroyed) throw new Error('Object has been destroyed');
    // What crosses is cloned.
    const copy = structuredClone(args);
    for (const [context, frame] of this.#contexts) {
      if (frame === this.#main) void this.#callIn(context, 'standinDeliver', [channel, copy]);
    }
  }

  async #hearRequest({ requestId, request, resourceType, frameId, redirectedRequestId }: Paused): Promise<void> {
    const url = toApp(request.url);
    const isMainFrame = frameId === this.#main.id;
    if (resourceType === 'Document' && !(isMainFrame && this.#expected === url)) {
      const details = { url, isMainFrame, isSameDocument: false, frame: this.#frames.get(frameId) ?? null };
      // As Electron tells it: a navigation has begun when the app is asked whether it may.
      if (redirectedRequestId === undefined) this.emit('did-start-navigation', { url, isMainFrame, isSameDocument: false });
      const names = redirectedRequestId !== undefined ? ['will-redirect'] : isMainFrame ? ['will-navigate', 'will-frame-navigate'] : ['will-frame-navigate'];
      for (const name of names) {
        const event = preventable(details);
        this.emit(name, event, url);
        if (!event.defaultPrevented) continue;
        await this.#send('Fetch.failRequest', { requestId, errorReason: 'Aborted' });
        return void this.emit('did-stop-loading');
      }
      if (isMainFrame) this.#expected = null;
    } else if (resourceType === 'Document') {
      this.#expected = null;
      this.emit('did-start-navigation', { url, isMainFrame, isSameDocument: false });
    }
    const handler = schemes.get(new URL(url).protocol.slice(0, -1));
    if (handler === undefined) {
      record('request', url);
      // There is no network: every other place has the same page.
      const body = Buffer.from('<!doctype html><title>Elsewhere</title><p>Elsewhere').toString('base64');
      const responseHeaders = [{ name: 'content-type', value: 'text/html' }];
      return void (await this.#send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body }));
    }
    const response = await handler(new Request(url, { method: request.method, headers: request.headers }));
    await this.#send('Fetch.fulfillRequest', {
      requestId,
      responseCode: response.status,
      responseHeaders: [...response.headers].map(([name, value]) => ({ name, value })),
      body: Buffer.from(await response.arrayBuffer()).toString('base64'),
    });
  }

  /** Permissions as the app's handlers give them, told to the browser before the page can ask. */
  async #settlePermissions(origin: string): Promise<void> {
    for (const [name, permission] of Object.entries(PERMISSIONS)) {
      const granted = await this.session.grants(this, permission, toApp(origin));
      await this.#cdp
        .send('Browser.setPermission', { permission: { name }, setting: granted ? 'granted' : 'denied', origin })
        .catch(() => undefined);
    }
  }

  async loadURL(address: string): Promise<void> {
    await this.#attached;
    const url = toBrowser(address);
    this.#expected = address;
    if (/^https?:/.test(url)) await this.#settlePermissions(new URL(url).origin);
    const loaded = new Promise<void>((resolve) => this.once('did-finish-load', () => resolve()));
    const { errorText } = (await this.#send('Page.navigate', { url })) as Fields & { errorText?: string };
    if (errorText !== undefined) throw new Error(`${errorText} loading '${address}'`);
    await loaded;
  }

  /** Loads the page again; one that crashed gets a process of its own again. */
  reload(): void {
    void this.#reload().catch(() => undefined);
  }

  async #reload(): Promise<void> {
    await this.#attached;
    this.#expected = this.#url;
    if (!this.#crashed) return void (await this.#send('Page.reload'));
    this.#crashed = false;
    await this.#detach();
    this.#attached = this.#attach();
    await this.loadURL(this.#url);
  }

  forcefullyCrashRenderer(): void {
    void this.#send('Page.crash').catch(() => undefined);
  }

  async #detach(): Promise<void> {
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
    this.#contexts.clear();
    this.#frames.clear();
    await this.#cdp.send('Target.closeTarget', { targetId: this.#target }).catch(() => undefined);
  }

  /** Ends the page for good. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.emit('destroyed');
    await this.#attached.catch(() => undefined);
    await this.#detach();
  }

  /**
   * Sends from a sub-frame of the page as a preload would, had it one there: what a page does that took over its process.
   * Answers what came back.
   */
  async standinSendFromSubFrame(channel: string, args: unknown[]): Promise<unknown> {
    const child = [...this.#frames.values()].find((frame) => frame.parent === this.#main);
    if (child === undefined) throw new Error('the page has no sub-frame');
    const { executionContextId } = (await this.#send('Page.createIsolatedWorld', {
      frameId: child.id,
      worldName: this.#bridge,
    })) as unknown as { executionContextId: number };
    const settled = await this.#send('Runtime.evaluate', {
      contextId: executionContextId,
      awaitPromise: true,
      returnByValue: true,
      expression: `new Promise((resolve) => {
        globalThis.standinSettle = (id, ok, value) => resolve(value);
        globalThis.standinSend(${JSON.stringify(JSON.stringify({ kind: 'invoke', id: 1, channel, args }))});
      })`,
    });
    return (settled['result'] as unknown as { value: unknown }).value;
  }
}

interface Paused {
  requestId: string;
  request: { url: string; method: string; headers: Record<string, string> };
  resourceType: string;
  frameId: string;
  redirectedRequestId?: string;
}
