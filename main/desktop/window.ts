// Window: the one window of the app. What it shows lives in the core, so it can be reloaded, crash or close at any time.
import { BrowserWindow, screen, type WebContents } from 'electron';
import type { Language } from '../../shared/persona.ts';
import { languageArgument } from '../../shared/window-api.ts';
import { APP_PAGE } from './protocol.ts';
import { fitted, MINIMUM, readWindowState, writeWindowState } from './window-state.ts';

export interface WindowOptions {
  /** out/preload/index.cjs */
  preload: string;
  /** Where its place and size are kept. */
  stateFile: string;
  language: Language;
  /** Whether a close only hides it, because something goes on that a person wants to come back to. */
  keepsRunning: () => boolean;
  /** Hears that the window was hidden by a close, and that it can be seen again. */
  onHidden: () => void;
  onShown: () => void;
  /** Hears of a new page, before it loads. */
  onPage: (contents: WebContents) => void;
  /** Hears of a page that crashed or hangs, for the log. */
  onTrouble: (what: string) => void;
}

/** Crashes of the page within this time before it is left alone: a page that crashes at once would crash for ever. */
const CRASH_WINDOW_MS = 60_000;
const MOST_CRASHES = 3;

export class AppWindow {
  readonly #options: WindowOptions;
  #window: BrowserWindow | null = null;
  #crashes: number[] = [];

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  get browserWindow(): BrowserWindow | null {
    return this.#window;
  }

  /** Whether the person looks at it. */
  get isFocused(): boolean {
    return this.#window?.isFocused() === true;
  }

  get isVisible(): boolean {
    return this.#window?.isVisible() === true;
  }

  /** Brings the window to the person. A new one appears when its page can be seen. */
  show(): void {
    if (this.#window === null) {
      this.#window = this.#create();
      return;
    }
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.show();
    this.#window.focus();
  }

  hide(): void {
    if (this.#window === null) return;
    this.#window.hide();
    this.#options.onHidden();
  }

  #create(): BrowserWindow {
    const { preload, stateFile, language, keepsRunning } = this.#options;
    const state = readWindowState(stateFile);
    const primary = screen.getPrimaryDisplay();
    const others = screen.getAllDisplays().filter(({ id }) => id !== primary.id);
    const window = new BrowserWindow({
      ...fitted(state?.bounds ?? null, [primary, ...others].map(({ workArea }) => workArea)),
      minWidth: MINIMUM.width,
      minHeight: MINIMUM.height,
      show: false,
      title: 'Namesake',
      webPreferences: {
        preload,
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        nodeIntegrationInWorker: false,
        nodeIntegrationInSubFrames: false,
        webviewTag: false,
        navigateOnDragDrop: false,
        spellcheck: false,
        additionalArguments: [`${languageArgument}${language}`],
      },
    });
    if (state?.maximized === true) window.maximize();
    window.once('ready-to-show', () => window.show());

    let timer: NodeJS.Timeout | null = null;
    const keep = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (!window.isDestroyed()) writeWindowState(stateFile, { bounds: window.getNormalBounds(), maximized: window.isMaximized() });
    };
    const keepSoon = (): void => {
      timer ??= setTimeout(keep, 500);
    };
    window.on('resize', keepSoon);
    window.on('move', keepSoon);
    window.on('close', (event) => {
      keep();
      if (!keepsRunning()) return;
      event.preventDefault();
      this.hide();
    });
    window.on('show', () => this.#options.onShown());
    window.on('closed', () => {
      if (timer !== null) clearTimeout(timer);
      this.#window = null;
    });
    window.webContents.on('render-process-gone', (_event, { reason }) => {
      this.#options.onTrouble(`the page's process is gone: ${reason}`);
      if (reason !== 'clean-exit') this.#reload(window);
    });
    this.#options.onPage(window.webContents);
    window.webContents.on('unresponsive', () => this.#options.onTrouble('the page does not answer'));
    void window.loadURL(APP_PAGE).catch((error: unknown) => {
      this.#options.onTrouble(`the page did not load: ${error instanceof Error ? error.message : String(error)}`);
    });
    return window;
  }

  /** Puts a crashed page back: its state is in the core. */
  #reload(window: BrowserWindow): void {
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => at > now - CRASH_WINDOW_MS), now];
    if (this.#crashes.length > MOST_CRASHES || window.isDestroyed()) return;
    window.webContents.reload();
  }
}
