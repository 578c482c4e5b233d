// Tokens: what lets a person fetch gated models. Sealed by the system where it can, else in memory alone; never shown again.
import { z } from 'zod';
import { checkedHubs, environmentHubs, type Hub } from '../../tools/hubs.mjs';
import type { Settings, TokenKept } from '../../shared/settings.ts';
import type { SettingsStore } from '../store/settings.ts';
import type { Vault } from '../vault.ts';

export type TokenSource = 'huggingface' | 'modelscope';

/** What a setting of the store is called that no person sees. */
function nameOf(source: TokenSource): string {
  return `token.${source}`;
}

export class Tokens {
  readonly #store: SettingsStore;
  readonly #vault: Vault | null;
  readonly #known = new Map<TokenSource, string>();
  #loading: Promise<void> | null = null;

  /** `vault` null = this door has no keychain: tokens live as long as the program. */
  constructor(store: SettingsStore, vault: Vault | null) {
    this.#store = store;
    this.#vault = vault;
  }

  /** Reads what was kept, once. Call it before what needs tokens. */
  load(): Promise<void> {
    return (this.#loading ??= this.#load());
  }

  async #load(): Promise<void> {
    const stored = this.#store.all();
    for (const source of ['huggingface', 'modelscope'] as const) {
      const sealed = z.string().min(1).safeParse(stored.get(nameOf(source)));
      const token = sealed.success ? await this.#vault?.open(sealed.data) : null;
      if (typeof token === 'string' && !this.#known.has(source)) this.#known.set(source, token);
    }
  }

  /** How a source's token is kept: by the system, in memory, in the environment that the program was started with, or not at all. */
  async kept(source: TokenSource, env: NodeJS.ProcessEnv = process.env): Promise<TokenKept> {
    await this.load();
    if (this.#known.has(source)) return z.string().min(1).safeParse(this.#store.all().get(nameOf(source))).success ? 'encrypted' : 'memory';
    return environmentHubs(env)[source].token === null ? 'none' : 'environment';
  }

  /** Keeps a token, or forgets it (null); says how it is kept. */
  async set(source: TokenSource, token: string | null): Promise<'encrypted' | 'memory' | 'none'> {
    await this.load();
    const sealed = token === null ? null : ((await this.#vault?.seal(token)) ?? null);
    this.#store.set({ [nameOf(source)]: sealed });
    if (token === null) this.#known.delete(source);
    else this.#known.set(source, token);
    return token === null ? 'none' : sealed === null ? 'memory' : 'encrypted';
  }

  /**
   * The hosts that are asked for models, in the person's order: their own endpoint first, or the environment's. A token goes
   * to the host that it is from, and to no other. Throws AddressError where the environment names a host that is none.
   */
  hubs({ endpoint, sources }: Settings, env: NodeJS.ProcessEnv): Hub[] {
    const named = environmentHubs(env);
    const bySource: Record<Settings['sources'][number], Hub> = {
      huggingface: { ...named.huggingface, token: this.#known.get('huggingface') ?? named.huggingface.token },
      'hf-mirror': named.mirror,
      modelscope: { ...named.modelscope, token: this.#known.get('modelscope') ?? named.modelscope.token },
    };
    const chosen = endpoint?.replace(/\/+$/, '') ?? null;
    // The same host as the environment's, or as Hugging Face itself, has that one's token.
    const same = [named.endpoint, bySource.huggingface].find((hub) => chosen !== null && hub !== null && isSameAddress(hub.base, chosen));
    const own: Hub | null = chosen === null ? named.endpoint : { kind: 'huggingface', base: chosen, token: same?.token ?? null };
    return checkedHubs([...(own === null ? [] : [own]), ...sources.map((source) => bySource[source])]);
  }
}

function isSameAddress(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).href === new URL(other).href;
}
