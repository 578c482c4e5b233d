// App: the program's life: ready, one instance, quitting in Electron's order.
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, BrowserWindow } from './browser-window.ts';
import { Cdp } from './cdp.ts';
import { preventable, record } from './record.ts';
import { state } from './session.ts';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

class App extends EventEmitter {
  readonly name = 'Namesake';
  readonly isPackaged = false;
  readonly #paths = new Map<string, string>([['downloads', tmpdir()]]);
  readonly #ready = new Promise<void>((resolve) => this.once('ready', () => resolve()));
  #quitting = false;
  #lock: string | null = null;

  constructor() {
    super();
    // The app's own file runs before it is ready, to its end.
    setImmediate(() => void this.#start().catch((error: unknown) => this.#fail(error)));
  }

  #fail(error: unknown): void {
    process.stderr.write(`stand-in: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(70);
  }

  async #start(): Promise<void> {
    const address = process.env['STANDIN_BROWSER'];
    if (address === undefined) throw new Error('STANDIN_BROWSER is the address of a browser');
    browser.cdp = await Cdp.connect(address);
    browser.onContents = (contents) => this.emit('web-contents-created', {}, contents);
    browser.onAllClosed = () => {
      if (this.#quitting) return;
      if (this.listenerCount('window-all-closed') > 0) this.emit('window-all-closed');
      else this.quit();
    };
    state.ready = true;
    this.emit('ready', {}, {});
  }

  #beforeReady(what: string, ...args: unknown[]): void {
    if (state.ready) throw new Error(`${what} comes before the app is ready`);
    record(what, ...args);
  }

  whenReady(): Promise<void> {
    return this.#ready;
  }

  isReady(): boolean {
    return state.ready;
  }

  enableSandbox(): void {
    this.#beforeReady('app.enableSandbox');
  }

  getVersion(): string {
    return '0.0.0';
  }

  getLocale(): string {
    return process.env['STANDIN_LANGUAGE'] ?? 'en-US';
  }

  getPreferredSystemLanguages(): string[] {
    return [this.getLocale()];
  }

  setPath(name: string, path: string): void {
    record('app.setPath', name, path);
    this.#paths.set(name, path);
  }

  getPath(name: string): string {
    const path = this.#paths.get(name);
    if (path === undefined) throw new Error(`Failed to get '${name}' path`);
    return path;
  }

  setAboutPanelOptions(options: object): void {
    record('app.setAboutPanelOptions', options);
  }

  /** By a file in userData that names the first process; a second one leaves a note beside it. */
  requestSingleInstanceLock(): boolean {
    record('app.requestSingleInstanceLock');
    const folder = this.getPath('userData');
    mkdirSync(folder, { recursive: true });
    const lock = join(folder, 'standin.lock');
    const note = join(folder, 'standin.second');
    if (existsSync(lock) && isAlive(Number(readFileSync(lock, 'utf8')))) {
      writeFileSync(note, JSON.stringify(process.argv));
      return false;
    }
    writeFileSync(lock, String(process.pid));
    this.#lock = lock;
    setInterval(() => {
      if (!existsSync(note)) return;
      rmSync(note);
      this.emit('second-instance', {}, [], process.cwd());
    }, 50).unref();
    return true;
  }

  relaunch(): void {
    record('app.relaunch');
  }

  /** before-quit, every window's close, will-quit, quit: each but the last can be prevented. */
  quit(): void {
    if (this.#quitting) return;
    const before = preventable({});
    this.emit('before-quit', before);
    if (before.defaultPrevented) return;
    this.#quitting = true;
    for (const window of BrowserWindow.getAllWindows()) {
      if (window.close()) continue;
      this.#quitting = false;
      return;
    }
    const will = preventable({});
    this.emit('will-quit', will);
    this.#quitting = false;
    if (!will.defaultPrevented) this.exit(0);
  }

  exit(code = 0): void {
    this.#quitting = true;
    for (const window of BrowserWindow.getAllWindows()) window.destroy();
    this.emit('quit', {}, code);
    if (this.#lock !== null) rmSync(this.#lock, { force: true });
    // Pages are closed by messages that are on their way.
    setTimeout(() => process.exit(code), 100);
  }
}

export const app = new App();
