// Train run: a run as its screen watches it, what is asked of it, and where the screen goes when it is done.
import type { Recipe } from '../../../shared/recipe.ts';
import type { RunStatus } from '../../../shared/run.ts';
import { statusLooks } from '../../state/run-status.ts';
import type { App } from '../../state/app.svelte.ts';
import { draftOfRun } from '../../state/draft-of-run.ts';
import { RunProbes } from '../../state/run-probes.svelte.ts';
import { WatchedRunState } from '../../state/watched-run.svelte.ts';
import type { WatchedRun } from '../../state/run-watch.ts';
import { t } from '../../state/words.svelte.ts';

export type Wish = 'pause' | 'stop' | 'cancel' | 'resume';

/** What it needs of the app. */
export type TrainApp = Pick<App, 'api' | 'notices' | 'route'>;

export class TrainRun {
  readonly #app: TrainApp;
  readonly #id: string;
  readonly #watched: WatchedRunState;
  readonly probes: RunProbes;
  readonly #unlisten: () => void;
  #wish = $state.raw<Wish | null>(null);
  #seen: RunStatus | null = null;

  /** Watches run `id` until `close`. */
  constructor(app: TrainApp, id: string) {
    this.#app = app;
    this.#id = id;
    this.#watched = new WatchedRunState(app.api, id);
    this.probes = new RunProbes(app.api, id);
    // At once, not with the next drawing: by then this screen may be another one.
    this.#unlisten = app.api.on('run', ({ run, name, status }) => {
      if (run === id) this.see(status, name);
    });
  }

  /** null before its state came, and where there is no such run any more. */
  get run(): WatchedRun | null {
    return this.#watched.gone ? null : this.#watched.run;
  }

  get error(): WatchedRunState['error'] {
    return this.#watched.error;
  }

  get retry(): WatchedRunState['retry'] {
    return this.#watched.retry;
  }

  /** What was asked of it and has not happened yet. */
  get wish(): Wish | null {
    return this.#wish;
  }

  /** Asks something of the run; its status says when that has happened. */
  ask(wish: Wish): Promise<void> {
    return this.#ask(wish, () => this.#app.api.request(`runs.${wish}`, { run: this.#id }));
  }

  /** Asks it to go on on another device than its recipe's. */
  resumeOn(device: Recipe['device']): Promise<void> {
    return this.#ask('resume', () => this.#app.api.request('runs.resume', { run: this.#id, device }));
  }

  async #ask(wish: Wish, request: () => Promise<null>): Promise<void> {
    this.#wish = wish;
    try {
      await request();
    } catch (error) {
      this.#wish = null;
      this.#app.notices.fail(error);
    }
  }

  /** A draft of this run's recipe and rows, to change and begin anew; goes to its settings. */
  again(): Promise<void> {
    return draftOfRun(this.#app, this.#id, 'train');
  }

  /** The run has this status now. One that was watched while it went on and is done leads on to the comparison. */
  see(status: RunStatus, name: string): void {
    const before = this.#seen;
    this.#seen = status;
    // Whoever is asked to end is done with that when it no longer goes on; whoever is asked to go on, when it does.
    if (statusLooks[status].active === (this.#wish === 'resume')) this.#wish = null;
    if (status !== 'done' || before === null || before === 'done') return;
    this.#app.notices.tell(() => t('notice.done', { name }));
    this.#app.route.go({ screen: 'compare', subject: { run: this.#id } }, { replace: true });
  }

  close(): void {
    this.#unlisten();
    this.#watched.close();
    this.probes.close();
  }
}
