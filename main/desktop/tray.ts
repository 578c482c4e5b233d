// Tray: while a run goes on or no window is to be seen, its icon is the way back.
import { Menu, nativeImage, Tray } from 'electron';
import { translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import type { RunSummary } from '../../shared/run.ts';

export interface TrayActions {
  show(): void;
  quit(): void;
}

export class AppTray {
  readonly #icon: string;
  readonly #actions: TrayActions;
  #tray: Tray | null = null;
  #language: Language;

  /** `icon` is a PNG of 16 points; one of twice the size beside it is named "@2x". */
  constructor(icon: string, language: Language, actions: TrayActions) {
    this.#icon = icon;
    this.#language = language;
    this.#actions = actions;
  }

  setLanguage(language: Language): void {
    this.#language = language;
    this.#tray?.setContextMenu(this.#menu());
  }

  #menu(): Menu {
    return Menu.buildFromTemplate([
      { label: translate(this.#language, 'tray.show'), click: () => this.#actions.show() },
      { type: 'separator' },
      { label: translate(this.#language, 'menu.quit'), click: () => this.#actions.quit() },
    ]);
  }

  /** Shows the icon, with how far the run is; without one it says only whose it is. */
  show(run: RunSummary | null): void {
    if (this.#tray === null) {
      const image = nativeImage.createFromPath(this.#icon);
      if (process.platform === 'darwin') image.setTemplateImage(true);
      this.#tray = new Tray(image);
      this.#tray.setContextMenu(this.#menu());
      this.#tray.on('click', () => this.#actions.show());
    }
    if (run === null) this.#tray.setToolTip('Namesake');
    else this.#tray.setToolTip(translate(this.#language, 'tray.training', { name: run.name, step: run.step, steps: run.steps }));
  }

  /** Takes the icon away. */
  hide(): void {
    this.#tray?.destroy();
    this.#tray = null;
  }
}
