// System: what an app asks of the desktop around it. Nothing is shown; what was asked is recorded, and tests put their own
// answers in place of a function where they want another one.
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { record } from './record.ts';
import { state } from './session.ts';

interface Template {
  label?: string;
  role?: string;
  type?: string;
  accelerator?: string;
  click?: (...args: unknown[]) => void;
  submenu?: Template[];
}

interface MenuItem extends Omit<Template, 'submenu'> {
  label: string;
  submenu: Menu | undefined;
}

export class Menu {
  readonly items: MenuItem[];
  static #application: Menu | null = null;

  constructor(template: Template[] = []) {
    this.items = template.map(({ submenu, ...item }) => ({
      label: '',
      ...item,
      submenu: submenu === undefined ? undefined : new Menu(submenu),
    }));
  }

  static buildFromTemplate(template: Template[]): Menu {
    return new Menu(template);
  }

  static setApplicationMenu(menu: Menu | null): void {
    Menu.#application = menu;
  }

  static getApplicationMenu(): Menu | null {
    return Menu.#application;
  }
}

export const trays = new Set<Tray>();

export class Tray extends EventEmitter {
  toolTip = '';
  menu: Menu | null = null;

  constructor(image: { isEmpty(): boolean }) {
    super();
    if (image.isEmpty()) throw new Error('a tray without an icon cannot be seen');
    trays.add(this);
  }

  setToolTip(text: string): void {
    this.toolTip = text;
  }

  setContextMenu(menu: Menu | null): void {
    this.menu = menu;
  }

  destroy(): void {
    trays.delete(this);
  }
}

export class Notification extends EventEmitter {
  readonly options: object;

  constructor(options: object) {
    super();
    this.options = options;
  }

  static isSupported(): boolean {
    return true;
  }

  show(): void {
    record('notification', this.options);
  }
}

export const nativeImage = {
  createFromPath: (path: string) => ({ isEmpty: () => !existsSync(path), setTemplateImage: () => undefined }),
};

export const dialog = {
  showMessageBox(...args: unknown[]): Promise<{ response: number }> {
    record('dialog.showMessageBox', args.at(-1));
    return Promise.resolve({ response: (args.at(-1) as { cancelId?: number }).cancelId ?? 0 });
  },
  showOpenDialog(...args: unknown[]): Promise<{ canceled: boolean; filePaths: string[] }> {
    record('dialog.showOpenDialog', args.at(-1));
    return Promise.resolve({ canceled: true, filePaths: [] });
  },
  showErrorBox(title: string, content: string): void {
    record('dialog.showErrorBox', title, content);
    process.stderr.write(`${title}: ${content}\n`);
  },
};

export const shell = {
  openExternal(address: string): Promise<void> {
    record('shell.openExternal', address);
    return Promise.resolve();
  },
  openPath(path: string): Promise<string> {
    record('shell.openPath', path);
    return Promise.resolve(existsSync(path) ? '' : 'no such folder');
  },
  showItemInFolder(path: string): void {
    record('shell.showItemInFolder', path);
  },
};

const blockers = new Map<number, string>();
let nextBlocker = 1;
export const powerSaveBlocker = {
  start(type: string): number {
    record('powerSaveBlocker.start', type);
    blockers.set(nextBlocker, type);
    return nextBlocker++;
  },
  stop(id: number): boolean {
    record('powerSaveBlocker.stop', id);
    return blockers.delete(id);
  },
  isStarted: (id: number): boolean => blockers.has(id),
};

export const crashReporter = {
  start(options: object): void {
    if (state.ready) throw new Error('crashes are collected from before the app is ready');
    record('crashReporter.start', options);
  },
  getUploadToServer: (): boolean => false,
};

/** What a keychain "encrypts" can here at least not be taken for the text. */
const masked = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0x5a));

/** A machine with a keyring. */
export const safeStorage = {
  getSelectedStorageBackend: (): string => 'gnome_libsecret',
  isAsyncEncryptionAvailable: (): Promise<boolean> => Promise.resolve(true),
  encryptStringAsync: (text: string): Promise<Buffer> => Promise.resolve(masked(Buffer.from(text, 'utf8'))),
  decryptStringAsync: (sealed: Buffer): Promise<{ result: string; shouldReEncrypt: boolean }> =>
    Promise.resolve({ result: masked(sealed).toString('utf8'), shouldReEncrypt: false }),
};

const display = { id: 1, workArea: { x: 0, y: 0, width: 1440, height: 900 } };
export const screen = {
  getPrimaryDisplay: () => display,
  getAllDisplays: () => [display],
};

