// Run list: every run of the home, the newest first, kept up to date.
import type { RunSummary } from '../../shared/run.ts';
import type { Api } from '../api.ts';
import { h, View } from '../dom.ts';
import { statusLooks } from '../run-status.ts';
import { t, when } from '../words.ts';
import type { Notices } from './notices.ts';

/** The page's address of a run. */
export function runAddress(run: string): string {
  return `#run/${run}`;
}

/** One line of the list. Its elements stay while it is there, so that the keyboard's place is not lost. */
class Line extends View {
  override readonly element: HTMLElement;
  readonly #link: HTMLAnchorElement;
  #summary: RunSummary;

  constructor(summary: RunSummary, onDelete: (summary: RunSummary) => void) {
    super();
    this.#summary = summary;
    this.#link = h('a', { href: runAddress(summary.run) },
      h('span', { class: 'name', dir: 'auto' }, this.text(() => this.#summary.name)),
      h('span', { class: 'quiet' }, this.text(() => this.#state())),
    );
    const remove = h('button', { type: 'button', class: 'small', click: () => onDelete(this.#summary) }, this.text(() => t('run.delete')));
    this.element = h('li', {}, this.#link, remove);
    this.live(() => {
      const { tone, active } = statusLooks[this.#summary.status];
      this.element.setAttribute('data-tone', tone);
      remove.hidden = active;
    });
  }

  show(summary: RunSummary, current: boolean): void {
    this.#summary = summary;
    if (current) this.#link.setAttribute('aria-current', 'page');
    else this.#link.removeAttribute('aria-current');
    this.update();
  }

  #state(): string {
    const { status, step, steps, created_at } = this.#summary;
    const words = t(`badge.${status}`);
    return statusLooks[status].active && step > 0 ? `${words} · ${step}/${steps}` : `${words} · ${when(created_at)}`;
  }
}

export class RunList extends View {
  override readonly element: HTMLElement;
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #list = h('ul');
  readonly #none: HTMLElement;
  readonly #lines = new Map<string, Line>();
  #runs: RunSummary[] | null = null;
  #current: string | null = null;
  #asked = 0;

  constructor(api: Api, notices: Notices) {
    super();
    this.#api = api;
    this.#notices = notices;
    this.#none = h('p', { class: 'quiet' }, this.text(() => t('page.runs_none')));
    this.live(() => this.#draw());
    this.element = h('nav', { class: 'runs', 'aria-labelledby': 'runs-title' },
      h('a', { class: 'button', href: '#new' }, this.text(() => t('page.new'))),
      h('h2', { id: 'runs-title' }, this.text(() => t('page.runs'))),
      this.#none,
      this.#list,
    );
    api.on('runs', () => void this.read());
    api.on('lost', () => void this.read());
    api.on('run', ({ event: _event, progress: _progress, ...summary }) => {
      this.#runs = this.#runs?.map((known) => (known.run === summary.run ? summary : known)) ?? null;
      this.#draw();
    });
    void this.read();
  }

  /** Marks the run that the page shows; null for none. */
  mark(run: string | null): void {
    this.#current = run;
    this.#draw();
  }

  /** Reads the list anew. */
  async read(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const runs = await this.#api.request('runs.list', {});
      if (asked !== this.#asked) return;
      this.#runs = runs.toSorted((a, b) => b.created_at.localeCompare(a.created_at));
      this.#draw();
    } catch (error) {
      this.#notices.failQuietly(error);
    }
  }

  #draw(): void {
    const runs = this.#runs ?? [];
    this.#none.hidden = this.#runs === null || runs.length > 0;
    const gone = new Set(this.#lines.keys());
    runs.forEach((summary, i) => {
      const line = this.#lines.get(summary.run) ?? new Line(summary, (deleted) => void this.#delete(deleted));
      this.#lines.set(summary.run, line);
      gone.delete(summary.run);
      line.show(summary, summary.run === this.#current);
      if (this.#list.children[i] !== line.element) this.#list.insertBefore(line.element, this.#list.children[i] ?? null);
    });
    for (const run of gone) {
      this.#lines.get(run)?.element.remove();
      this.#lines.delete(run);
    }
  }

  async #delete({ run, name }: RunSummary): Promise<void> {
    try {
      await this.#api.request('runs.delete', { run });
      if (this.#current === run) location.hash = '#new';
      const undo = (): void => void this.#undelete(run);
      this.#notices.offer(() => t('run.deleted', { name }), { words: () => t('run.undo'), run: undo });
    } catch (error) {
      this.#notices.fail(error);
    }
    await this.read();
  }

  async #undelete(run: string): Promise<void> {
    try {
      await this.#api.request('runs.undelete', { run });
      location.hash = runAddress(run);
    } catch (error) {
      this.#notices.fail(error);
    }
    await this.read();
  }
}
