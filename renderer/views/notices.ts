// Notices: what has to be said beside the page's own content: errors, and what can be taken back.
import { toNamesakeError } from '../../shared/errors.ts';
import { h, View } from '../dom.ts';
import { explain, t } from '../words.ts';

interface Notice {
  words: () => string;
  bad: boolean;
  /** What can be done about it. */
  action: { words: () => string; run: () => void } | null;
}

/** How long a notice without an error stays. */
const STAY_MS = 20_000;

export class Notices extends View {
  /** Read aloud at once; empty most of the time. */
  override readonly element = h('div', { class: 'notices', role: 'alert' });
  #notice: Notice | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.live(() => this.#draw());
  }

  /** Says what went wrong until it is closed or something else is to be said. */
  fail(error: unknown): void {
    const known = toNamesakeError(error);
    this.#show({ words: () => explain(known), bad: true, action: null });
  }

  /** The same for what nobody asked for: that the connection broke is said elsewhere, and what was to be read is read again. */
  failQuietly(error: unknown): void {
    if (toNamesakeError(error).code !== 'door.lost') this.fail(error);
  }

  /** Says something for a while, with a way to act on it. */
  offer(words: () => string, action: Notice['action']): void {
    this.#show({ words, bad: false, action });
    this.#timer = setTimeout(() => this.close(), STAY_MS);
  }

  close(): void {
    this.#show(null);
  }

  /** The person went elsewhere: what went wrong here no longer matters, what can be taken back does. */
  leave(): void {
    if (this.#notice?.bad === true) this.close();
  }

  #show(notice: Notice | null): void {
    clearTimeout(this.#timer);
    this.#notice = notice;
    this.update();
  }

  #draw(): void {
    const notice = this.#notice;
    if (notice === null) return this.element.replaceChildren();
    const { action } = notice;
    const act = (): void => {
      this.close();
      action?.run();
    };
    this.element.replaceChildren(
      h('div', { class: notice.bad ? 'notice bad' : 'notice' },
        h('p', {}, notice.words()),
        action === null ? null : h('button', { type: 'button', click: act }, action.words()),
        h('button', { type: 'button', class: 'close', 'aria-label': t('notice.close'), click: () => this.close() }, '×'),
      ),
    );
  }
}
