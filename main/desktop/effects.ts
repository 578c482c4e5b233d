// Effects: what of a run shows outside the window: progress on the taskbar, the tray, a machine that stays awake, a notice.
import { translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import type { RunSummary } from '../../shared/run.ts';
import { showNotice } from './notice.ts';
import type { PowerBlock } from './power.ts';
import type { TrainingListener } from './training.ts';
import type { AppTray } from './tray.ts';
import type { AppWindow } from './window.ts';

export interface EffectsOptions {
  window: AppWindow;
  tray: AppTray;
  power: PowerBlock;
  language: () => Language;
  notifies: () => boolean;
}

/** Share of the steps that are done, from 0 to 1; beyond 1 (no end is known) before the first step. */
function progressOf(run: RunSummary): number {
  return run.steps > 0 && run.step > 0 ? run.step / run.steps : 2;
}

export class Effects implements TrainingListener {
  readonly #o: EffectsOptions;

  constructor(options: EffectsOptions) {
    this.#o = options;
  }

  going(run: RunSummary): void {
    this.#o.power.set(true);
    this.#o.tray.show(run);
    this.#progress(progressOf(run));
  }

  ended(run: RunSummary): void {
    const { window, tray, power, language, notifies } = this.#o;
    power.set(false);
    this.#progress(-1);
    if (window.isVisible) tray.hide();
    else tray.show(null);
    if (window.isFocused || !notifies()) return;
    const words = { name: run.name };
    if (run.status === 'done') {
      showNotice(translate(language(), 'notice.done', words), translate(language(), 'notice.done_body'), () => window.show());
    } else if (run.status === 'failed') {
      showNotice(translate(language(), 'notice.failed', words), '', () => window.show());
    }
  }

  /** Linux has no such thing any more. */
  #progress(value: number): void {
    if (process.platform !== 'linux') this.#o.window.browserWindow?.setProgressBar(value);
  }
}
