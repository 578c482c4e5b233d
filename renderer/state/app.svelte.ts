// App: what every screen shares. Made once by main.ts, found by any component with `useApp()`.
import { createContext } from 'svelte';
import type { RequestResult } from '../../shared/api.ts';
import type { Api, Connection } from '../api.ts';
import { ModelsState } from './models.svelte.ts';
import { Notices } from './notices.svelte.ts';
import { Route } from './route.svelte.ts';
import { RunsState } from './runs.svelte.ts';
import { SettingsState } from './settings.svelte.ts';
import { explain } from './words.svelte.ts';

export class App {
  readonly api: Api;
  readonly notices = new Notices(explain);
  readonly route = new Route();
  readonly settings: SettingsState;
  readonly runs: RunsState;
  readonly models: ModelsState;
  readonly #onWiped: (() => void)[] = [];
  #connection = $state.raw<Connection>('connecting');
  #about = $state.raw<RequestResult<'app.about'> | null>(null);

  constructor(api: Api) {
    this.api = api;
    this.settings = new SettingsState(api, this.notices);
    this.runs = new RunsState(api);
    this.models = new ModelsState(api);
    api.onConnection((connection) => {
      this.#connection = connection;
    });
    api.on('command', ({ command }) => this.route.go({ screen: command === 'new' ? 'name' : 'settings', subject: null }));
    api.on('lost', () => {
      if (this.#about === null) void this.#meet();
    });
    void this.#meet();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Version, door, home and platform; null before they came. */
  get about(): RequestResult<'app.about'> | null {
    return this.#about;
  }

  /** Hears that all of the person's data was deleted. */
  onWiped(listener: () => void): void {
    this.#onWiped.push(listener);
  }

  /** All of the person's data was deleted: what this page holds of it goes as well. */
  wiped(): void {
    for (const listener of this.#onWiped) listener();
  }

  async #meet(): Promise<void> {
    try {
      this.#about = await this.api.request('app.about', {});
    } catch (error) {
      this.notices.fail(error);
    }
  }
}

export const [useApp, provideApp] = createContext<App>();
