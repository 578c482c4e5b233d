// Settings service: what a person chose, over the defaults; windows hear of changes.
import type { z } from 'zod';
import { settingsSchema, type settingsChangeSchema, type Settings } from '../../shared/settings.ts';
import type { SettingsStore } from '../store/settings.ts';

/** Settings that are to be changed; those that are not named stay. */
export type SettingsChange = z.output<typeof settingsChangeSchema>;

export class SettingsService {
  readonly #store: SettingsStore;
  readonly #listeners = new Set<(settings: Settings) => void>();

  constructor(store: SettingsStore) {
    this.#store = store;
  }

  /** All settings. One that was never set, or that this version does not understand, has its default. */
  get(): Settings {
    const stored = this.#store.all();
    const understood = Object.entries(settingsSchema.shape).filter(
      ([name, schema]) => stored.has(name) && schema.safeParse(stored.get(name)).success,
    );
    return settingsSchema.parse(Object.fromEntries(understood.map(([name]) => [name, stored.get(name)])));
  }

  /** Changes the named settings, tells the listeners, and returns all. */
  set(change: SettingsChange): Settings {
    this.#store.set(Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)));
    const settings = this.get();
    for (const listener of [...this.#listeners]) listener(settings);
    return settings;
  }

  /** Hears of every change; returns the un-listener. */
  onChange(listener: (settings: Settings) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
