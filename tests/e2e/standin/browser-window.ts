// BrowserWindow: a window that nobody sees: its state is kept here, its page is the browser's.
import { EventEmitter } from 'node:events';
import type { Cdp } from './cdp.ts';
import { preventable, record } from './record.ts';
import { state } from './session.ts';
import { WebContents, type WebPreferences } from './web-contents.ts';

interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Options extends Partial<Bounds> {
  show?: boolean;
  webPreferences?: WebPreferences;
  [name: string]: unknown;
}

/** Set by app when it is ready. */
export const browser: { cdp: Cdp | null; onContents: (contents: WebContents) => void; onAllClosed: () => void } = {
  cdp: null,
  onContents: () => undefined,
  onAllClosed: () => undefined,
};

const windows = new Set<BrowserWindow>();

export class BrowserWindow extends EventEmitter {
  readonly webContents: WebContents;
  /** What the app made it with. */
  readonly standinOptions: Options;
  #bounds: Bounds;
  #visible: boolean;
  #focused = false;
  #minimized = false;
  #maximized = false;
  #destroyed = false;
  /** From 0 to 1; -1 is none. */
  standinProgress = -1;

  constructor(options: Options = {}) {
    super();
    if (!state.ready || browser.cdp === null) throw new Error('Cannot create BrowserWindow before app is ready');
    record('new BrowserWindow', options);
    const { x = 0, y = 0, width = 800, height = 600 } = options;
    this.standinOptions = options;
    this.#bounds = { x, y, width, height };
    this.#visible = options.show !== false;
    this.webContents = new WebContents(browser.cdp, options.webPreferences ?? {});
    windows.add(this);
    this.webContents.once('did-finish-load', () => this.emit('ready-to-show'));
    browser.onContents(this.webContents);
  }

  static getAllWindows(): BrowserWindow[] {
    return [...windows];
  }

  static fromWebContents(contents: WebContents): BrowserWindow | null {
    return [...windows].find((window) => window.webContents === contents) ?? null;
  }

  loadURL(address: string): Promise<void> {
    return this.webContents.loadURL(address);
  }

  show(): void {
    const before = this.#visible;
    this.#visible = true;
    this.#focused = true;
    if (!before) this.emit('show');
  }

  hide(): void {
    this.#visible = false;
    this.#focused = false;
    this.emit('hide');
  }

  focus(): void {
    this.#focused = true;
  }

  blur(): void {
    this.#focused = false;
  }

  minimize(): void {
    this.#minimized = true;
    this.#focused = false;
  }

  restore(): void {
    this.#minimized = false;
  }

  maximize(): void {
    this.#maximized = true;
    this.emit('resize');
  }

  unmaximize(): void {
    this.#maximized = false;
    this.emit('resize');
  }

  isVisible(): boolean {
    return this.#visible;
  }

  isFocused(): boolean {
    return this.#focused;
  }

  isMinimized(): boolean {
    return this.#minimized;
  }

  isMaximized(): boolean {
    return this.#maximized;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  getBounds(): Bounds {
    return { ...this.#bounds };
  }

  getNormalBounds(): Bounds {
    return { ...this.#bounds };
  }

  setBounds(bounds: Partial<Bounds>): void {
    this.#bounds = { ...this.#bounds, ...bounds };
    this.emit('resize');
    this.emit('move');
  }

  setProgressBar(progress: number): void {
    this.standinProgress = progress;
  }

  /** Asks the app; false where it prevents it. */
  close(): boolean {
    if (this.#destroyed) return true;
    const event = preventable({});
    this.emit('close', event);
    if (event.defaultPrevented) return false;
    this.destroy();
    return true;
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    windows.delete(this);
    void this.webContents.destroy();
    this.emit('closed');
    if (windows.size === 0) browser.onAllClosed();
  }
}
