// Page header: the program's name, the language switch, and how the connection is.
import { NamesakeError } from '../../shared/errors.ts';
import type { Language } from '../../shared/persona.ts';
import { h, setText, View } from '../dom.ts';
import { languages, ownNames } from '../languages.ts';
import type { Connection } from '../transport.ts';
import { currentLanguage, explain, t } from '../words.ts';
import mark from '../../resources/icons/mark.svg';

export class PageHeader extends View {
  override readonly element: HTMLElement;
  readonly #banner = h('p', { class: 'banner', role: 'status', hidden: true });
  #connection: Connection = 'open';

  /** `onLanguage` hears of the language that the person chose. */
  constructor(onLanguage: (language: Language) => void) {
    super();
    const switches = languages.map((language) => {
      const button = h('button', { type: 'button', lang: language === 'zh' ? 'zh-CN' : 'en', click: () => onLanguage(language) }, ownNames[language]);
      this.live(() => button.setAttribute('aria-pressed', String(language === currentLanguage())));
      return button;
    });
    const group = h('div', { class: 'switch', role: 'group' }, ...switches);
    this.live(() => group.setAttribute('aria-label', t('page.language')));
    this.live(() => this.#drawBanner());
    this.element = h('header', { class: 'page' },
      h('img', { src: mark, alt: '', width: 32, height: 32 }),
      h('div', {}, h('h1', {}, 'Namesake'), h('p', { class: 'quiet' }, this.text(() => t('page.tagline')))),
      group,
      this.#banner,
    );
  }

  /** Puts the cursor on the language switch. */
  focus(): void {
    this.element.querySelector('button')?.focus();
  }

  /** Says how the connection is, where it is not as it should be. */
  connected(connection: Connection): void {
    this.#connection = connection;
    this.#drawBanner();
  }

  #drawBanner(): void {
    const connection = this.#connection;
    this.#banner.hidden = connection === 'open';
    const words = {
      open: () => '',
      connecting: () => t('connection.connecting'),
      lost: () => t('connection.lost'),
      signed_out: () => explain(new NamesakeError('door.unauthorized', 'session')),
    };
    setText(this.#banner, words[connection]());
  }
}
