// The page: which door it came through, which language it speaks, and which part of it is shown.
import type { NamesakeError } from '../shared/errors.ts';
import type { Language } from '../shared/persona.ts';
import type { WindowApi } from '../shared/window-api.ts';
import { Api } from './api.ts';
import { h, View } from './dom.ts';
import { ownDoor, socketTransport } from './socket-transport.ts';
import { NamesForm } from './views/names-form.ts';
import { Notices } from './views/notices.ts';
import { PageHeader } from './views/page-header.ts';
import { runAddress, RunList } from './views/run-list.ts';
import { RunView } from './views/run-view.ts';
import { windowTransport } from './window-transport.ts';
import { speak, t } from './words.ts';

declare global {
  interface Window {
    /** What the desktop's preload gives; a browser has none. */
    readonly api?: WindowApi;
  }
}

/** The system's language, where the settings do not name one. */
function systemLanguage(): Language {
  return window.api?.language ?? (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
}

class Page extends View {
  override readonly element: HTMLElement;
  readonly #api: Api;
  readonly #notices = new Notices();
  readonly #header: PageHeader;
  readonly #runs: RunList;
  readonly #content = h('main', { id: 'content', tabindex: -1 });
  #shown: NamesForm | RunView | null = null;

  constructor(api: Api) {
    super();
    this.#api = api;
    this.#header = new PageHeader((language) => this.#choose(language));
    this.#runs = new RunList(api, this.#notices);
    this.element = h('div', { class: 'page' },
      h('a', { class: 'skip', href: '#content', click: (event: Event) => this.#skip(event) }, this.text(() => t('page.skip'))),
      this.#header.element,
      this.#notices.element,
      h('div', { class: 'body' }, this.#runs.element, this.#content),
    );
    api.onConnection((connection) => this.#header.connected(connection));
    api.on('settings', ({ settings }) => this.#speak(settings.language ?? systemLanguage()));
    api.on('lost', () => void this.#readLanguage());
    api.on('command', ({ command }) => {
      if (command === 'settings') this.#header.focus();
      else if (location.hash === '#new') this.#shown?.focus();
      else location.hash = '#new';
    });
    addEventListener('hashchange', () => {
      this.#notices.leave();
      this.#show();
      this.#shown?.focus();
    });
    void this.#readLanguage();
    this.#show();
  }

  override update(): void {
    super.update();
    for (const view of [this.#header, this.#notices, this.#runs, this.#shown]) view?.update();
  }

  /** The link's own way would change the page's address, which says what is shown. */
  #skip(event: Event): void {
    event.preventDefault();
    this.#content.focus();
  }

  #speak(language: Language): void {
    speak(language);
    this.update();
  }

  #choose(language: Language): void {
    this.#speak(language);
    this.#api.request('settings.set', { language }).catch((error: unknown) => this.#notices.fail(error));
  }

  async #readLanguage(): Promise<void> {
    try {
      this.#speak((await this.#api.request('settings.get', {})).language ?? systemLanguage());
    } catch (error) {
      this.#notices.failQuietly(error);
    }
  }

  /** Shows what the address names: a run, or the form. */
  #show(): void {
    const run = /^#run\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
    this.#shown?.close();
    const made = (id: string): void => {
      location.hash = runAddress(id);
    };
    const gone = (error: NamesakeError): void => {
      location.hash = '#new';
      // When the page has gone there, which takes away what was said before.
      addEventListener('hashchange', () => this.#notices.fail(error), { once: true });
    };
    this.#shown = run === null ? new NamesForm(this.#api, this.#notices, made) : new RunView(this.#api, this.#notices, run, gone);
    this.#runs.mark(run);
    this.#content.replaceChildren(this.#shown.element);
  }
}

speak(systemLanguage());
const transport = window.api === undefined ? socketTransport(ownDoor(location.href)) : windowTransport(window.api);
document.body.replaceChildren(new Page(new Api(transport)).element);
