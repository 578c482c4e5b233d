// Settings page: what stands beside the settings themselves: tokens, disk use, the machine's report, and removing things.
import type { RequestInput } from '../../../shared/api.ts';
import type { DiskUse } from '../../../shared/disk-use.ts';
import type { DoctorReport } from '../../../shared/doctor.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { TokenKept } from '../../../shared/settings.ts';
import type { App } from '../../state/app.svelte.ts';
import { t } from '../../state/words.svelte.ts';

export type TokenSource = RequestInput<'settings.set_token'>['source'];

/** What it needs of the app. */
export type PageApp = Pick<App, 'api' | 'notices' | 'models' | 'route' | 'wiped'>;

export class SettingsPage {
  readonly #app: PageApp;
  readonly #unlisten: (() => void)[];
  #tokens = $state.raw<Readonly<Record<TokenSource, TokenKept>> | null>(null);
  #disk = $state.raw<DiskUse | null>(null);
  #diskError = $state.raw<NamesakeError | null>(null);
  #doctor = $state.raw<DoctorReport | null>(null);
  #doctorError = $state.raw<NamesakeError | null>(null);
  #examining = $state(false);
  #licences = $state.raw<string | null>(null);
  #wiping = $state(false);

  /** Reads and listens until `close`. */
  constructor(app: PageApp) {
    this.#app = app;
    this.#unlisten = [
      app.api.on('models', () => void this.readDisk()),
      app.api.on('runs', () => void this.readDisk()),
      app.api.on('lost', () => {
        void this.readDisk();
        void this.#readTokens();
      }),
    ];
    void this.readDisk();
    void this.#readTokens();
  }

  /** How each token is kept; null before that is known. */
  get tokens(): Readonly<Record<TokenSource, TokenKept>> | null {
    return this.#tokens;
  }

  get disk(): DiskUse | null {
    return this.#disk;
  }

  get diskError(): NamesakeError | null {
    return this.#diskError;
  }

  /** What works on this machine; null before it was looked at. */
  get doctor(): DoctorReport | null {
    return this.#doctor;
  }

  get doctorError(): NamesakeError | null {
    return this.#doctorError;
  }

  get examining(): boolean {
    return this.#examining;
  }

  get licences(): string | null {
    return this.#licences;
  }

  get wiping(): boolean {
    return this.#wiping;
  }

  /** Keeps a token, or forgets it (null); false where it was not taken, which is told. */
  async setToken(source: TokenSource, token: string | null): Promise<boolean> {
    return this.#app.notices.attempt(async () => {
      const { kept } = await this.#app.api.request('settings.set_token', { source, token });
      if (this.#tokens !== null) this.#tokens = { ...this.#tokens, [source]: kept };
      // A token of the environment comes to light again where the person's own one is forgotten.
      if (token === null) await this.#readTokens();
    });
  }

  async readDisk(): Promise<void> {
    try {
      this.#disk = await this.#app.api.request('app.disk', {});
      this.#diskError = null;
    } catch (error) {
      const known = toNamesakeError(error);
      if (known.code !== 'door.lost') this.#diskError = known;
    }
  }

  async #readTokens(): Promise<void> {
    await this.#app.notices.attempt(async () => {
      this.#tokens = await this.#app.api.request('settings.tokens', {});
    });
  }

  /** Looks at the machine: it takes a moment, because the engine is started. */
  async examine(): Promise<void> {
    if (this.#examining) return;
    this.#examining = true;
    this.#doctorError = null;
    try {
      this.#doctor = await this.#app.api.request('app.doctor', {});
    } catch (error) {
      this.#doctorError = toNamesakeError(error);
    } finally {
      this.#examining = false;
    }
  }

  async readLicences(): Promise<void> {
    if (this.#licences !== null) return;
    await this.#app.notices.attempt(async () => {
      this.#licences = (await this.#app.api.request('app.licences', {})).text;
    });
  }

  async removeModel(model: string): Promise<void> {
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('models.remove', { model });
    });
  }

  async show(what: 'home' | 'exports' | 'crashes'): Promise<void> {
    await this.#app.notices.attempt(async () => {
      await this.#app.api.request('app.show', { what });
    });
  }

  /** Removes all of the person's data and begins anew. */
  async deleteEverything(): Promise<void> {
    this.#wiping = true;
    const done = await this.#app.notices.attempt(async () => {
      await this.#app.api.request('app.delete_everything', { confirm: 'delete everything' });
    });
    this.#wiping = false;
    if (!done) return;
    this.#app.wiped();
    this.#app.notices.tell(() => t('settings.wiped'));
    this.#app.route.go({ screen: 'name', subject: null });
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
  }
}
