// Picker: what one does with models: fetch, pause, remove, add one's own. Models themselves are app.models.
import { NamesakeError, toNamesakeError } from '../../../shared/errors.ts';
import type { HandedFile } from '../../../shared/window-api.ts';
import type { Api } from '../../api.ts';

/** What a person typed or pasted as a place on a hub: a REF, OWNER/NAME, or the address of its page. null where it is none. */
export function hubRef(text: string): string | null {
  const trimmed = text.trim();
  if (/^(hf|modelscope):[\w.-]+\/[\w.-]+/i.test(trimmed)) return trimmed;
  if (/^[\w.-]+\/[\w.-]+(?:#\S+)?$/.test(trimmed)) return `hf:${trimmed}`;
  const page = /^https?:\/\/([\w.-]+)\/(?:models\/)?([\w.-]+\/[\w.-]+)/i.exec(trimmed);
  const [, host, repository] = page ?? [];
  return host === undefined || repository === undefined ? null : `${/modelscope/i.test(host) ? 'modelscope' : 'hf'}:${repository}`;
}

/** Where something happened: at a model, or at the form for one's own. */
type Where = string | 'own';

export class Picker {
  /** What is being done now; null = nothing. */
  #busy = $state.raw<{ at: Where; what: 'asking' | 'handing' | 'checking' | 'removing' } | null>(null);
  #licence = $state.raw<{ at: Where; model: string; licence: string } | null>(null);
  #failed = $state.raw<{ at: Where; error: NamesakeError } | null>(null);
  readonly #api: Pick<Api, 'request'>;

  constructor(api: Pick<Api, 'request'>) {
    this.#api = api;
  }

  /** What is being done at a place; null where nothing is. */
  busyAt(at: Where): 'asking' | 'handing' | 'checking' | 'removing' | null {
    return this.#busy?.at === at ? this.#busy.what : null;
  }

  /** The licence that has to be accepted at a place. */
  licenceAt(at: Where): { model: string; licence: string } | null {
    return this.#licence?.at === at ? this.#licence : null;
  }

  failedAt(at: Where): NamesakeError | null {
    return this.#failed?.at === at ? this.#failed.error : null;
  }

  /** Files that a place on a hub may mean, where it has several: whole REFs. */
  get choices(): string[] {
    const error = this.failedAt('own');
    if (error?.code !== 'model.ambiguous') return [];
    const [ref = ''] = String(error.params['ref']).split('#');
    return String(error.params['files']).split(', ').filter((file) => file !== '…').map((file) => `${ref}#${file}`);
  }

  /** Fetches a model, or goes on with it; `accept` its licence. True where it is on its way. */
  download(model: string, { accept = false, at = model }: { accept?: boolean; at?: Where } = {}): Promise<boolean> {
    return this.#do(at, 'asking', async () => {
      try {
        await this.#api.request('models.download', { model, accept_licence: accept });
      } catch (thrown) {
        const { code, params } = toNamesakeError(thrown);
        if (code !== 'model.licence_required') throw thrown;
        this.#licence = { at, model, licence: String(params['licence']) };
      }
    });
  }

  /** Fetches what a hub has under a name that was typed. True where it is on its way. */
  downloadNamed(text: string): Promise<boolean> {
    const ref = hubRef(text);
    if (ref !== null) return this.download(ref, { at: 'own' });
    this.#failed = { at: 'own', error: new NamesakeError('model.source_unsupported', 'OWNER/NAME', { ref: text.trim() }) };
    return Promise.resolve(false);
  }

  pause(model: string): Promise<boolean> {
    return this.#do(model, 'asking', async () => void (await this.#api.request('models.pause', { model })));
  }

  remove(model: string): Promise<boolean> {
    return this.#do(model, 'removing', async () => void (await this.#api.request('models.remove', { model })));
  }

  /** Adds a file that `hand` hands over (null: nobody chose one); gives its id where it was added. */
  async add(hand: () => Promise<HandedFile | null>): Promise<string | null> {
    let added: string | null = null;
    await this.#do('own', 'handing', async () => {
      const handed = await hand();
      if (handed === null) return;
      this.#busy = { at: 'own', what: 'checking' };
      added = (await this.#api.request('models.add', { file: handed.file })).id;
    });
    return added;
  }

  /** Accepts the licence that was asked for. */
  async accept(): Promise<boolean> {
    const asked = this.#licence;
    return asked === null ? false : this.download(asked.model, { accept: true, at: asked.at });
  }

  /** Forgets what was asked and what failed. */
  dismiss(): void {
    this.#licence = this.#failed = null;
  }

  async #do(at: Where, what: 'asking' | 'handing' | 'removing', work: () => Promise<void>): Promise<boolean> {
    if (this.#busy !== null) return false;
    this.dismiss();
    this.#busy = { at, what };
    try {
      await work();
      return this.#licence === null;
    } catch (thrown) {
      this.#failed = { at, error: toNamesakeError(thrown) };
      return false;
    } finally {
      this.#busy = null;
    }
  }
}
