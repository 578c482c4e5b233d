// Desktop: the composition root of the Electron app. Everything up to `whenReady` runs before a page can exist.
import { app, dialog, session } from 'electron';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { toNamesakeError } from '../../shared/errors.ts';
import { explainError, translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import { settingsSchema, type Settings } from '../../shared/settings.ts';
import { Api } from '../api/api.ts';
import { createCore } from '../core.ts';
import { diskError, onDisk } from '../disk.ts';
import { startEngine } from '../engine/client.ts';
import { Home } from '../home.ts';
import { createLog, traceOf } from '../log.ts';
import { packageRoot } from '../resources.ts';
import { collectCrashes } from './crash-reporter.ts';
import { desktopDoor } from './door.ts';
import { Effects } from './effects.ts';
import { forkUtility } from './engine-process.ts';
import { chooseFile, dropFile, parseKind } from './files.ts';
import { denyPermissions, guardAllContents } from './guards.ts';
import { IpcRouter } from './ipc.ts';
import { openLink } from './links.ts';
import { setMenu } from './menu.ts';
import { showNotice } from './notice.ts';
import { PowerBlock } from './power.ts';
import { registerAppScheme, serveRenderer } from './protocol.ts';
import { askBeforeQuit, Quit } from './quit.ts';
import { Training } from './training.ts';
import { AppTray } from './tray.ts';
import { lookForUpdates } from './updates.ts';
import { KeychainVault } from './vault.ts';
import { AppWindow } from './window.ts';

const DOCUMENTATION = 'https://github.com/namesake-app/namesake#readme';

/** The folder after --home, as on the command line. */
function homeArgument(args: readonly string[]): string | undefined {
  const at = args.findIndex((argument) => argument === '--home' || argument.startsWith('--home='));
  return at < 0 ? undefined : args[at]?.startsWith('--home=') ? args[at].slice('--home='.length) : args[at + 1];
}

/** zh where the first of the system's languages is Chinese. */
function systemLanguage(): Language {
  return /^zh/i.test(app.getPreferredSystemLanguages()[0] ?? app.getLocale()) ? 'zh' : 'en';
}

/** Makes the app of a home, once Electron is ready. */
function start(home: Home): void {
  const core = createCore(home, { startEngine: () => startEngine({ start: forkUtility }), vault: new KeychainVault() });
  const api = new Api(core, desktopDoor);
  const system = systemLanguage();
  let settings = settingsSchema.parse({});
  const language = (): Language => settings.language ?? system;

  const power = new PowerBlock();
  const tray = new AppTray(join(packageRoot, 'resources', 'icons', 'tray.png'), system, {
    show: () => window.show(),
    quit: () => app.quit(),
  });
  const window: AppWindow = new AppWindow({
    preload: join(import.meta.dirname, '..', 'preload', 'index.cjs'),
    stateFile: home.windowState,
    language: system,
    keepsRunning: () => training.current !== null && !quit.decided,
    onHidden: () => {
      showNotice(translate(language(), 'notice.hidden'), translate(language(), 'notice.hidden_body'), () => window.show());
    },
    onShown: () => {
      if (training.current === null) tray.hide();
    },
    onPage: (contents) => router.connect(contents),
    onTrouble: (what) => core.log.error({ door: 'desktop' }, what),
  });
  const effects = new Effects({ window, tray, power, language, notifies: () => settings.notify_when_done });
  const training = new Training((run) => api.activeRun === run, effects);
  const quit = new Quit({
    training: () => training.current,
    ask: (run) => askBeforeQuit(window.browserWindow, run, language()),
    keep: () => window.hide(),
    discard: async ({ run }) => void (await api.request('runs.cancel', { run })),
    close: async () => {
      await api.close();
      core.close();
    },
    quit: () => app.quit(),
    onTrouble: (error) => core.log.error(traceOf(error), 'leaving failed'),
  });

  const request: Api['request'] = async (name, input) => {
    const reply = await api.request(name, input);
    // What Electron itself keeps in the home went, too: the app begins anew.
    if (name === 'app.delete_everything' && reply.ok) {
      app.relaunch();
      setImmediate(() => app.quit());
    }
    return reply;
  };
  const router = new IpcRouter({
    api: { request, subscribe: (page) => api.subscribe(page) },
    log: core.log,
    chooseFile: (owner, kind) => chooseFile(owner, core.files, parseKind(kind), language()),
    dropFile: (path, kind) => dropFile(core.files, parseKind(kind), path),
  });

  const useSettings = (changed: Settings): void => {
    settings = changed;
    tray.setLanguage(language());
    setMenu(language(), {
      command: (command) => {
        window.show();
        // By way of the events: a window that has just come up hears it when its page listens.
        api.tell({ event: 'command', command });
      },
      showFiles: () => void request('app.show', { what: 'home' }),
      showCrashes: () => void request('app.show', { what: 'crashes' }),
      openDocumentation: () => openLink(DOCUMENTATION),
      quit: () => app.quit(),
    });
  };
  api.subscribe({
    ready: () => true,
    send: (events) => {
      training.hear(events);
      for (const event of events) if (event.event === 'settings') useSettings(event.settings);
    },
  });

  denyPermissions(session.defaultSession);
  serveRenderer(join(import.meta.dirname, '..', 'renderer'));
  app.on('before-quit', (event) => quit.beforeQuit(event));
  app.on('second-instance', () => window.show());
  app.on('activate', () => window.show());
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  app.on('child-process-gone', (_event, { type, reason }) => {
    if (reason !== 'clean-exit') core.log.warn({ door: 'desktop', type, reason }, 'a process of the app is gone');
  });

  useSettings(settings);
  window.show();
  try {
    useSettings(core.settings.get());
  } catch (error) {
    // A home that cannot be opened: the page says so at its first request.
    core.log.error(traceOf(error), 'the settings could not be read');
  }
  void lookForUpdates(core.log);
}

/** Says in the system's own dialog why there is no app, and leaves. */
function giveUp(home: Home, error: unknown): void {
  const known = diskError(error, home.folder) ?? toNamesakeError(error);
  const language = app.isReady() ? systemLanguage() : 'en';
  dialog.showErrorBox(translate(language, 'start.failed'), explainError(language, known));
  app.exit(1);
}

const home = new Home(homeArgument(process.argv));
try {
  onDisk(home.folder, () => mkdirSync(home.folder, { recursive: true, mode: 0o700 }));
  app.setPath('userData', home.windowData);
  app.enableSandbox();
  registerAppScheme();
  // One process per home: a second one shows the first one's window and leaves.
  if (app.requestSingleInstanceLock()) {
    collectCrashes(home.crashes);
    const log = createLog(home.logs);
    guardAllContents((what) => log.warn({ door: 'desktop', code: 'door.refused', what }, 'refused'));
    void app
      .whenReady()
      .then(() => start(home))
      .catch((error: unknown) => giveUp(home, error));
  } else {
    app.quit();
  }
} catch (error) {
  giveUp(home, error);
}
