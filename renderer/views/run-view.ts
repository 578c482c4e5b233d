// Run view: one run from its first phase to what it became, and what can be done with it.
import type { RequestName } from '../../shared/api.ts';
import { isErrorCode, type NamesakeError } from '../../shared/errors.ts';
import type { Api } from '../api.ts';
import { h, setText, View } from '../dom.ts';
import { statusLooks } from '../run-status.ts';
import { RunWatch, type WatchedRun } from '../run-watch.ts';
import { currentLanguage, duration, explainStored, t } from '../words.ts';
import { ChatView } from './chat-view.ts';
import { comparison } from './comparison.ts';
import { LossLine } from './loss-line.ts';
import type { Notices } from './notices.ts';
import { scoreCard } from './score-card.ts';

type Action = 'pause' | 'resume' | 'stop' | 'cancel';

/** What stands in the way of a run, or should be known about it; null where there is nothing to say. */
function remark({ status, error, error_detail, warning }: WatchedRun): string | null {
  if (status === 'failed') {
    return isErrorCode(error) ? explainStored(error, error_detail ?? error) : t('badge.failed');
  }
  if (status === 'interrupted') return t('run.interrupted');
  if (warning?.warning === 'resumed_elsewhere') return t('warning.resumed_elsewhere', { began: warning.began, now: warning.now });
  if (warning?.warning === 'checkpoint_damaged') return t('warning.checkpoint_damaged', { step: String(warning.step), from: String(warning.from) });
  return null;
}

export class RunView extends View {
  override readonly element: HTMLElement;
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #watch: RunWatch;
  readonly #id: string;
  readonly #title = h('h2', { id: 'run-title', dir: 'auto', tabindex: -1 });
  readonly #badge = h('span', { class: 'badge' });
  readonly #remark = h('p', { class: 'remark', role: 'status' });
  /** Read aloud when the phase changes: not at every step. */
  readonly #phase = h('p', { class: 'phase', role: 'status' });
  readonly #bar = h('progress', { max: 1, value: 0 });
  readonly #figures = h('p', { class: 'figures' });
  readonly #going: HTMLElement;
  readonly #buttons: Record<Action, HTMLButtonElement>;
  readonly #loss = new LossLine();
  readonly #scores = h('section');
  readonly #comparison = h('section');
  readonly #chatPlace = h('div');
  #chat: ChatView | null = null;
  /** What the parts that are made anew were made from. */
  #drawn = '';

  /** Shows run `id` for as long as the view is open; `onGone` hears why there is none. */
  constructor(api: Api, notices: Notices, id: string, onGone: (error: NamesakeError) => void) {
    super();
    this.#api = api;
    this.#notices = notices;
    this.#id = id;
    this.#buttons = {
      pause: this.#button('pause', 'runs.pause'),
      resume: this.#button('resume', 'runs.resume'),
      stop: this.#button('stop', 'runs.stop'),
      cancel: h('button', { type: 'button', class: 'risky', click: () => this.#askCancel() }, this.text(() => t('run.cancel'))),
    };
    this.#going = h('div', { class: 'going', hidden: true }, this.#phase, this.#bar, this.#figures);
    const actions = h('div', { class: 'actions', role: 'group' }, ...Object.values(this.#buttons));
    this.element = h('section', { class: 'run', 'aria-labelledby': 'run-title', 'aria-busy': 'true' },
      h('header', {}, this.#title, this.#badge),
      this.#remark, this.#going, actions, this.#loss.element, this.#scores, this.#comparison, this.#chatPlace,
    );
    this.#watch = new RunWatch(
      api,
      id,
      (run) => this.#draw(run),
      (error) => {
        if (error.code === 'run.unknown') onGone(error);
        else notices.fail(error);
      },
    );
    this.live(() => {
      actions.setAttribute('aria-label', t('run.actions'));
      this.#bar.setAttribute('aria-label', t('run.progress'));
      this.#loss.update();
      this.#chat?.update();
      if (this.#watch.run !== null) this.#draw(this.#watch.run);
    });
  }

  /** Puts the reading place at the run's name. */
  focus(): void {
    this.#title.focus();
  }

  close(): void {
    this.#watch.close();
    this.#chat?.close();
  }

  #button(action: Action, request: 'runs.pause' | 'runs.resume' | 'runs.stop'): HTMLButtonElement {
    const button = h('button', { type: 'button', click: () => void this.#do(request, button) }, this.text(() => t(`run.${action}`)));
    return button;
  }

  async #do(request: Extract<RequestName, 'runs.pause' | 'runs.resume' | 'runs.stop' | 'runs.cancel'>, button: HTMLButtonElement): Promise<void> {
    button.disabled = true;
    this.#notices.close();
    try {
      await this.#api.request(request, { run: this.#id });
    } catch (error) {
      this.#notices.fail(error);
    } finally {
      button.disabled = false;
    }
  }

  /** Asks before what cannot be taken back. */
  #askCancel(): void {
    const name = this.#watch.run?.name ?? '';
    const dialog = h('dialog', { 'aria-labelledby': 'cancel-question', close: () => dialog.remove() });
    const yes = (): void => {
      dialog.close();
      void this.#do('runs.cancel', this.#buttons.cancel);
    };
    dialog.append(
      h('p', { id: 'cancel-question' }, t('run.cancel_question', { name })),
      h('div', { class: 'actions' },
        h('button', { type: 'button', autofocus: true, click: () => dialog.close() }, t('run.keep_going')),
        h('button', { type: 'button', class: 'risky', click: yes }, t('run.cancel')),
      ),
    );
    this.element.append(dialog);
    dialog.showModal();
  }

  #draw(run: WatchedRun): void {
    const { active, resumable, tone, kept } = statusLooks[run.status];
    this.element.setAttribute('aria-busy', 'false');
    setText(this.#title, run.name);
    setText(this.#badge, t(`badge.${run.status}`));
    this.#badge.setAttribute('data-tone', tone);
    const said = remark(run);
    setText(this.#remark, said ?? '');
    this.#remark.hidden = said === null;
    for (const action of ['pause', 'stop', 'cancel'] as const) this.#buttons[action].hidden = !active;
    this.#buttons.resume.hidden = !resumable;
    this.#going.hidden = !active;
    if (active) this.#drawProgress(run);
    this.#loss.show(run.metrics, run.steps);
    const drawn = JSON.stringify([currentLanguage(), run.checkpoints, run.chosen_step, run.right, run.missed, run.after]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#scores.replaceChildren(...scoreCard(run));
      this.#comparison.replaceChildren(...comparison(run.before, run.after));
    }
    this.#offerChat(kept && run.chosen_step !== null);
  }

  #drawProgress({ phase, metrics, step, steps }: WatchedRun): void {
    setText(this.#phase, t(`phase.${phase?.phase ?? 'training'}`));
    const counted = phase !== null && phase.done !== null && phase.total !== null && phase.total > 0;
    this.#bar.value = counted ? (phase.done ?? 0) / (phase.total ?? 1) : step / Math.max(1, steps);
    const last = metrics.at(-1);
    const figures = [t('run.steps', { step: String(step), steps: String(steps) })];
    if (counted && phase.phase !== 'training') figures.unshift(`${phase.done ?? 0} / ${phase.total ?? 0}`);
    if (phase?.phase === 'training' && last !== undefined) figures.push(t('run.speed', { speed: last.tokens_per_second.toFixed(0) }));
    if (phase !== null && phase.eta_seconds !== null) figures.push(t('run.left', { left: duration(phase.eta_seconds) }));
    setText(this.#figures, figures.join(' · '));
  }

  #offerChat(possible: boolean): void {
    if (possible === (this.#chat !== null)) return;
    this.#chat?.close();
    this.#chat = possible ? new ChatView(this.#api, this.#notices, this.#id) : null;
    this.#chatPlace.replaceChildren(...(this.#chat === null ? [] : [this.#chat.element]));
  }
}
