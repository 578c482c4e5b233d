// Assistant list: every run with what is known of it, drafts that wait to be started, and what was deleted a moment ago.
import type { DraftSummary } from '../../../shared/draft.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { DeletedRun, RunFacts, RunStatus } from '../../../shared/run.ts';
import type { App } from '../../state/app.svelte.ts';
import { draftOfRun } from '../../state/draft-of-run.ts';
import type { ListedRun } from '../../state/runs.svelte.ts';
import { t } from '../../state/words.svelte.ts';
import { sorted, type Order } from './sorted.ts';

/** From how many runs on there is something to search and to sort by. */
const MANY = 10;

/** What it needs of the app. */
export type ListApp = Pick<App, 'api' | 'runs' | 'notices' | 'route'>;

/** A run as the list shows it; `facts` null before they came. */
export interface ListedAssistant extends ListedRun {
  facts: RunFacts | null;
}

export class AssistantList {
  readonly #app: ListApp;
  readonly #unlisten: (() => void)[];
  #facts = $state.raw<Readonly<Record<string, RunFacts>>>({});
  #drafts = $state.raw<readonly DraftSummary[]>([]);
  #deleted = $state.raw<readonly DeletedRun[]>([]);
  #error = $state.raw<NamesakeError | null>(null);
  #chosen = $state.raw<readonly string[]>([]);
  /** Part of the names that are looked for. */
  filter = $state('');
  order = $state<Order>('newest');
  #reading = false;
  #again = false;
  #closed = false;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  readonly #statuses: Record<string, RunStatus> = {};
  /** Notices that offer to bring a run back. */
  readonly #offers: Record<string, number> = {};

  /** Reads and listens until `close`. */
  constructor(app: ListApp) {
    this.#app = app;
    this.#unlisten = [
      app.api.on('runs', () => void this.load()),
      app.api.on('lost', () => void this.load()),
      // A run that begins or ends changes what it takes of the disk, and its scores.
      app.api.on('run', ({ run, status }) => {
        const before = this.#statuses[run];
        this.#statuses[run] = status;
        if (before !== undefined && before !== status) void this.load();
      }),
    ];
    void this.load();
  }

  /** Runs by the chosen order, those whose name has the filter; null before the list came. */
  readonly shown = $derived.by((): readonly ListedAssistant[] | null => {
    const { list } = this.#app.runs;
    if (list === null) return null;
    const wanted = this.many ? this.filter.trim().toLowerCase() : '';
    const all = list.map((run): ListedAssistant => ({ ...run, facts: this.#facts[run.run] ?? null }));
    return sorted(all.filter(({ name }) => name.toLowerCase().includes(wanted)), this.many ? this.order : 'newest');
  });

  /** Whether there are so many that one searches and sorts. */
  get many(): boolean {
    return (this.#app.runs.list?.length ?? 0) > MANY;
  }

  get drafts(): readonly DraftSummary[] {
    return this.#drafts;
  }

  /** Deleted runs that can be brought back. */
  get deleted(): readonly DeletedRun[] {
    return this.#deleted;
  }

  /** Why the list, or what goes with it, cannot be had. */
  get error(): NamesakeError | null {
    return this.#app.runs.error ?? this.#error;
  }

  /** Bytes of all runs together. */
  get bytes(): number {
    return Object.values(this.#facts).reduce((sum, { bytes_on_disk }) => sum + bytes_on_disk, 0);
  }

  /** Whether a run goes on: another one cannot be resumed then. */
  get busy(): boolean {
    return this.#app.runs.active !== null;
  }

  /** Up to two runs that are to be compared, in the order in which they were chosen. */
  get chosen(): readonly string[] {
    return this.#chosen.filter((run) => this.#app.runs.find(run) !== null);
  }

  /** Chooses a run, or no longer; a third one takes the place of the first. */
  choose(run: string, on: boolean): void {
    const others = this.chosen.filter((one) => one !== run);
    this.#chosen = on ? [...others.slice(-1), run] : others;
  }

  choosesNone(): void {
    this.#chosen = [];
  }

  /** Reads everything; once more where that is asked for while it is being read. */
  async load(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    const { api, runs } = this.#app;
    if (runs.error !== null) void runs.load();
    try {
      do {
        this.#again = false;
        const [facts, drafts, deleted] = await Promise.all([api.request('runs.facts', {}), api.request('drafts.list', {}), api.request('runs.deleted', {})]);
        this.#facts = Object.fromEntries(facts.map((one) => [one.run, one]));
        this.#drafts = drafts;
        this.#deleted = deleted;
        this.#error = null;
      } while (this.#again as boolean);
    } catch (error) {
      const known = toNamesakeError(error);
      // A lost connection comes back, and tells so.
      if (known.code !== 'door.lost') this.#error = known;
    } finally {
      this.#reading = false;
    }
    this.#expect();
  }

  /** Reads again when the first deleted run can no longer be brought back. */
  #expect(): void {
    clearTimeout(this.#expiry);
    if (this.#closed || this.#deleted.length === 0) return;
    const first = Math.min(...this.#deleted.map(({ until }) => Date.parse(until)));
    this.#expiry = setTimeout(() => void this.load(), Math.max(1000, first - Date.now() + 500));
  }

  /** Gives a run another name; false where it could not be done, which is told. A name of nothing but spaces is none. */
  async rename(run: string, name: string): Promise<boolean> {
    const wanted = name.trim();
    if (wanted === '' || wanted === this.#app.runs.find(run)?.name) return true;
    return this.#app.notices.attempt(async () => {
      await this.#app.api.request('runs.rename', { run, name: wanted });
    });
  }

  /** Deletes a run, and says how it is brought back. */
  async remove(run: string): Promise<void> {
    const name = this.#app.runs.find(run)?.name ?? run;
    const done = await this.#app.notices.attempt(async () => {
      await this.#app.api.request('runs.delete', { run });
    });
    if (!done) return;
    this.#offers[run] = this.#app.notices.tell(() => t('run.deleted', { name }), { words: () => t('run.undo'), run: () => void this.bringBack(run) });
  }

  async bringBack(run: string): Promise<void> {
    this.#app.notices.close(this.#offers[run] ?? 0);
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('runs.undelete', { run });
      await this.#app.runs.load();
    });
    await this.load();
  }

  /** Makes a draft of a run's recipe and rows, and goes to it. */
  duplicate(run: string): Promise<void> {
    return draftOfRun(this.#app, run, 'name');
  }

  /** Goes on with a run, and to its screen. */
  async resume(run: string): Promise<void> {
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('runs.resume', { run });
      this.#app.route.go({ screen: 'train', subject: { run } });
    });
  }

  async showFolder(run: string): Promise<void> {
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('app.show', { what: 'run', run });
    });
  }

  async removeDraft(draft: string): Promise<void> {
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('drafts.delete', { draft });
    });
    await this.load();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#expiry);
    for (const unlisten of this.#unlisten) unlisten();
  }
}
