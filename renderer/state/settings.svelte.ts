// Settings: language, look and sources, the same in every window of a home. They hold at once and are stored behind it.
import type { RequestInput } from '../../shared/api.ts';
import type { Language } from '../../shared/persona.ts';
import type { Settings } from '../../shared/settings.ts';
import type { Api } from '../api.ts';
import type { Notices } from './notices.svelte.ts';
import { speak } from './words.svelte.ts';

/** What is kept in the browser so that a page begins as it looked last. */
const REMEMBERED = 'namesake.look';

/** The system's language, where the settings do not name one. */
export function systemLanguage(): Language {
  return window.api?.language ?? (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
}

export class SettingsState {
  /** null before they came. */
  #settings = $state.raw<Settings | null>(null);
  readonly #api: Api;
  readonly #notices: Notices;
  /** Counts changes: the answer to an earlier one knows nothing of the later ones. */
  #changes = 0;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
    this.#show(remembered());
    api.on('settings', ({ settings }) => this.#take(settings));
    api.on('lost', () => void this.#read());
    void this.#read();
  }

  get current(): Settings | null {
    return this.#settings;
  }

  /** Changes some of them: at once here, then in the home. */
  async change(change: RequestInput<'settings.set'>): Promise<void> {
    if (this.#settings !== null) this.#take({ ...this.#settings, ...(change as Partial<Settings>) });
    else this.#show({ ...remembered(), ...change });
    const mine = ++this.#changes;
    try {
      const settings = await this.#api.request('settings.set', change);
      if (mine === this.#changes) this.#take(settings);
    } catch (error) {
      this.#notices.fail(error);
      void this.#read();
    }
  }

  async #read(): Promise<void> {
    try {
      this.#take(await this.#api.request('settings.get', {}));
    } catch (error) {
      this.#notices.fail(error);
    }
  }

  #take(settings: Settings): void {
    this.#settings = settings;
    this.#show(settings);
  }

  #show({ language, theme }: Look): void {
    speak(language ?? systemLanguage());
    document.documentElement.dataset['theme'] = theme ?? 'system';
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify({ language, theme }));
    } catch {
      // A browser that keeps nothing shows the system's look for a moment.
    }
  }
}

type Look = { language?: Language | null | undefined; theme?: Settings['theme'] | undefined };

function remembered(): Look {
  try {
    const look: unknown = JSON.parse(localStorage.getItem(REMEMBERED) ?? '{}');
    const { language, theme } = look as Record<string, unknown>;
    return {
      language: language === 'zh' || language === 'en' ? language : null,
      theme: theme === 'light' || theme === 'dark' || theme === 'contrast' ? theme : 'system',
    };
  } catch {
    return {};
  }
}
