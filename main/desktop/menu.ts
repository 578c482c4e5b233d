// Menu: the native menu with its shortcuts, in the person's language.
import { app, Menu, type MenuItemConstructorOptions } from 'electron';
import { translate, type MessageKey } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';

export interface MenuActions {
  /** Goes to a place in the page, bringing the window up. */
  command(command: 'new' | 'settings'): void;
  showFiles(): void;
  showCrashes(): void;
  openDocumentation(): void;
  quit(): void;
}

type Item = MenuItemConstructorOptions;
const separator: Item = { type: 'separator' };

/** The menu as Electron takes it. On macOS the program's own menu comes first, as people expect it there. */
export function menuTemplate(language: Language, actions: MenuActions, platform: NodeJS.Platform): Item[] {
  const words = (key: MessageKey): string => translate(language, key);
  const act = (key: MessageKey, click: () => void, accelerator?: string): Item => ({
    label: words(key),
    click,
    ...(accelerator === undefined ? {} : { accelerator }),
  });
  const role = (key: MessageKey, name: NonNullable<Item['role']>): Item => ({ label: words(key), role: name });
  const mac = platform === 'darwin';
  const settings = act('menu.settings', () => actions.command('settings'), 'CmdOrCtrl+,');
  const quit = act('menu.quit', () => actions.quit(), 'CmdOrCtrl+Q');
  const about = role('menu.about', 'about');
  return [
    ...(mac
      ? [
          {
            label: 'Namesake',
            submenu: [
              about,
              separator,
              settings,
              separator,
              role('menu.hide', 'hide'),
              role('menu.hide_others', 'hideOthers'),
              role('menu.show_all', 'unhide'),
              separator,
              quit,
            ],
          },
        ]
      : []),
    {
      label: words('menu.file'),
      submenu: [
        act('menu.new', () => actions.command('new'), 'CmdOrCtrl+N'),
        act('menu.files', () => actions.showFiles()),
        ...(mac ? [] : [separator, settings]),
        separator,
        role('menu.close', 'close'),
        ...(mac ? [] : [quit]),
      ],
    },
    {
      label: words('menu.edit'),
      submenu: [
        role('menu.undo', 'undo'),
        role('menu.redo', 'redo'),
        separator,
        role('menu.cut', 'cut'),
        role('menu.copy', 'copy'),
        role('menu.paste', 'paste'),
        role('menu.select_all', 'selectAll'),
      ],
    },
    {
      label: words('menu.view'),
      submenu: [
        role('menu.reload', 'reload'),
        separator,
        role('menu.actual_size', 'resetZoom'),
        role('menu.zoom_in', 'zoomIn'),
        role('menu.zoom_out', 'zoomOut'),
        separator,
        role('menu.full_screen', 'togglefullscreen'),
      ],
    },
    { label: words('menu.window'), submenu: [role('menu.minimize', 'minimize'), role('menu.close', 'close')] },
    {
      label: words('menu.help'),
      submenu: [
        act('menu.documentation', () => actions.openDocumentation(), 'F1'),
        act('menu.crashes', () => actions.showCrashes()),
        ...(mac ? [] : [separator, about]),
      ],
    },
  ];
}

/** Puts the menu in place; again whenever the language changes. */
export function setMenu(language: Language, actions: MenuActions): void {
  app.setAboutPanelOptions({ applicationName: 'Namesake', applicationVersion: app.getVersion() });
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(language, actions, process.platform)));
}
