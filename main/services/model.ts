// Model service: from a model REF to a file or folder on this machine, fetching what the home lacks; which models there are.
import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { hasModel, modelFolder, modelPath, type ModelEntry } from '../../tools/fetch-model.mjs';
import { AddressError } from '../../tools/http.mjs';
import { defaultHubs, type Hub } from '../../tools/hubs.mjs';
import { tryLock } from '../../tools/lock.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import { hubModelSchema, type CatalogueModel, type DownloadState, type HubModel, type ModelCard } from '../../shared/model.ts';
import type { Language } from '../../shared/persona.ts';
import { diskError, onDisk } from '../disk.ts';
import type { Home } from '../home.ts';
import { loadCatalogue } from '../resources.ts';
import type { ModelStore } from '../store/models.ts';
import { beginningOf, type Beginning, type Sized } from './beginning.ts';
import { Downloads, type DownloadOptions, type FetchProgress } from './downloads.ts';
import { parseHubRef, resolveHubRef, statedModel, type HubRef } from './hub.ts';
import { entryOf, knownModel, type KnownModel } from './known-model.ts';
import { ModelCards, type ModelCardOptions } from './model-cards.ts';
import { ModelFiles } from './model-files.ts';
import { isModelFolder } from './model-parts.ts';
import { whileFree } from './trainer-lock.ts';

export type { FetchProgress };

/** Licences that ask for nothing before the model is used. */
const FREE = new Set(['Apache-2.0', 'MIT', 'BSD-3-Clause']);
/** What a licence is called that the hub does not name. */
const UNKNOWN_LICENCE = '?';

/** A model on this machine. */
export interface LocalModel {
  id: string;
  /** A .gguf file, or a folder in Hugging Face's layout. */
  path: string;
  /** sha256 of the file, or of the folder's parts: what base answers and provenance refer to. */
  sha256: string;
  weak_languages: readonly Language[];
  /** What peft is to open as its base: a repository or a folder; for a file, which it does not open, what people call it. */
  base: string;
}

export interface ModelOptions extends ModelCardOptions {
  /** Hosts of models in the order in which they are asked; those of the environment where not given. */
  hubs?: () => Hub[];
  /** The shapes that a model on this machine states. Throws where it cannot be read. */
  shape?: (path: string) => Promise<Sized>;
  patience?: DownloadOptions['patience'];
}

function defaultEntry(): CatalogueModel {
  const { default: id } = loadCatalogue();
  const entry = entryOf(id);
  if (entry === null) throw new NamesakeError('internal', `the catalogue lacks ${id}`);
  return entry;
}

/** A catalogue entry names its recipe; its size says the rest. */
function beginningOfEntry({ shape, size_bytes, recipe }: CatalogueModel): Beginning {
  return { ...beginningOf({ ...shape, file_bytes: size_bytes }), recipe };
}

/** How to begin with a model of which nothing is known: as with another one of the default's size, whose adapter would not fit it. */
function beginningOfUnknown(): Beginning {
  const { shape, size_bytes } = defaultEntry();
  return beginningOf({ ...shape, file_bytes: size_bytes });
}

/** Whether a REF is the path of a file or folder by its looks. */
export function isFileRef(ref: string): boolean {
  return !/^(hf|modelscope):/i.test(ref) && /[\\/]|\.gguf$/i.test(ref);
}

export class ModelService {
  readonly #home: Home;
  readonly #store: ModelStore;
  readonly #hubs: () => Hub[];
  readonly #downloads: Downloads;
  readonly #files: ModelFiles;
  readonly #cards: ModelCards;
  readonly #progress: FetchProgress;
  readonly #shape: ModelOptions['shape'];
  /** How to begin with models that were looked into, by their sha256. */
  readonly #beginnings = new Map<string, Beginning>();

  constructor(home: Home, store: ModelStore, progress: FetchProgress, options: ModelOptions = {}) {
    this.#home = home;
    this.#store = store;
    const hubs = options.hubs ?? (() => defaultHubs(process.env));
    this.#hubs = () => {
      try {
        return hubs();
      } catch (error) {
        throw error instanceof AddressError ? new NamesakeError('download.failed', error.message) : error;
      }
    };
    this.#downloads = new Downloads(home, { hubs: this.#hubs, progress, ...(options.patience && { patience: options.patience }) });
    this.#files = new ModelFiles(home, store);
    this.#progress = progress;
    this.#shape = options.shape;
    this.#cards = new ModelCards(home, this.#downloads, options);
  }

  get default(): string {
    return loadCatalogue().default;
  }

  /** Hears how downloads stand; returns the un-listener. */
  onDownload(listener: (state: DownloadState) => void): () => void {
    return this.#downloads.onState(listener);
  }

  /** Whether a REF names a model of the catalogue, on a hub, or one that was added: never a file by its path. */
  knows(ref: string): boolean {
    return knownModel(ref, this.#store) !== null || this.#store.find(ref) !== undefined;
  }

  /** The same with its file, which the hub is asked for where it is not known. */
  async #complete(known: KnownModel, signal?: AbortSignal): Promise<KnownModel & { file: ModelEntry }> {
    if (known.file !== null) return { ...known, file: known.file };
    if (known.entry === null) {
      const model = await resolveHubRef(parseHubRef(known.ref) as HubRef, this.#hubs(), { signal });
      this.#remember(known.ref, model);
      return { ...known, file: model, licence: model.licence, licence_url: model.licence_url };
    }
    const { id, file, size_bytes, licence, licence_url } = known.entry;
    const found = await statedModel(known.entry, this.#hubs(), { signal });
    if (file !== '' && found.size_bytes !== size_bytes) {
      throw new NamesakeError('model.checksum_mismatch', `the hub's file has ${found.size_bytes} bytes, not ${size_bytes}`);
    }
    const model: HubModel = { id, file, ...found, licence, licence_url };
    this.#remember(id, model);
    return { ...known, file: model };
  }

  /** Throws model.source_unsupported where what the hub states cannot be: sizes whose sum is no number of bytes, no revision. */
  #remember(ref: string, model: HubModel): void {
    const { error } = hubModelSchema.safeParse(model);
    const wrong = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    if (wrong !== undefined) throw new NamesakeError('model.source_unsupported', `what the hub states cannot be (${wrong})`, { ref });
    this.#store.addHubModel(ref, model);
  }

  /** Throws model.licence_required unless the licence asks for nothing or was accepted. */
  #checkLicence({ ref, licence }: KnownModel, accept: boolean): void {
    const name = licence ?? UNKNOWN_LICENCE;
    if (FREE.has(name)) return;
    if (accept) this.#store.acceptLicence(ref, name);
    else if (!this.#store.licenceAccepted(ref, name)) {
      throw new NamesakeError('model.licence_required', `${ref}: ${name}`, { model: ref, licence: name });
    }
  }

  /** Catalogue models, models of hubs that were asked for, and added files; whether they are here, and whether they fit. */
  async list(): Promise<ModelCard[]> {
    const fetched = this.#store.hubModels().filter(({ ref }) => entryOf(ref) === null);
    const refs = [...loadCatalogue().models.map(({ id }) => id), ...fetched.map(({ ref }) => ref)];
    const cards = await Promise.all(refs.map((ref) => this.#cards.card(knownModel(ref, this.#store) as KnownModel)));
    const own = this.#store.list().map(({ id, path }) => this.#cards.ownCard(id, path));
    return Promise.all([...cards, ...own].map((card) => this.#cards.withNeed(card)));
  }

  /**
   * Starts to fetch a model (or goes on with it) and returns as soon as bytes may flow: the rest is told by `onDownload`.
   * Throws model.unknown, model.not_found for an added file that is gone, model.licence_required, and what `resolveHubRef` throws.
   */
  async download(ref: string, acceptLicence: boolean): Promise<void> {
    const known = knownModel(ref, this.#store);
    if (known === null) {
      const path = this.#store.find(ref)?.path;
      if (path === undefined) throw new NamesakeError('model.unknown', ref, { ref });
      if (!existsSync(path)) throw new NamesakeError('model.not_found', path, { path });
      return;
    }
    const whole = await this.#complete(known);
    this.#checkLicence(whole, acceptLicence);
    void this.#fetchStated(known, whole, acceptLicence).catch(() => undefined);
  }

  /** Pauses a download; nothing where none is under way. */
  pause(ref: string): Promise<void> {
    return this.#downloads.pause(ref);
  }

  /** Pauses all downloads. */
  close(): Promise<void> {
    return this.#downloads.close();
  }

  /**
   * Finds a REF's file, fetching it where it can be fetched. Throws model.unknown, model.not_found, model.ambiguous,
   * model.source_unsupported, model.licence_required, download.failed, download.denied, model.checksum_mismatch, disk.full
   * or disk.unwritable; cancelled as soon as `signal` says so. A download that nobody else waits for then pauses.
   */
  async locate(ref: string, { acceptLicence = false, signal }: { acceptLicence?: boolean; signal?: AbortSignal } = {}): Promise<LocalModel> {
    try {
      return await this.#locate(ref, acceptLicence, signal);
    } catch (error) {
      throw signal?.aborted === true ? new NamesakeError('cancelled', 'while the model was looked for') : error;
    }
  }

  async #locate(ref: string, acceptLicence: boolean, signal: AbortSignal | undefined): Promise<LocalModel> {
    const known = knownModel(ref, this.#store);
    if (known !== null) return this.#fetch(known, acceptLicence, signal);
    const added = this.#store.find(ref);
    const path = resolve(added?.path ?? ref);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) {
      const isPath = added !== undefined || isFileRef(ref);
      throw isPath
        ? new NamesakeError('model.not_found', path, { path })
        : new NamesakeError('model.unknown', ref, { ref });
    }
    if (found.isDirectory() && !isModelFolder(path)) {
      throw new NamesakeError('model.source_unsupported', `${path} is a folder without a config.json`, { ref });
    }
    const sha256 = await this.#files.sha256(path, (done, total) => {
      signal?.throwIfAborted();
      this.#progress.onBytes(done, total);
    });
    return this.#describe(added?.id ?? path, path, { sha256, sources: [] });
  }

  /** A REF's file or folder where it is on this machine; null where it would have to be fetched, or is not there. */
  async find(ref: string): Promise<LocalModel | null> {
    const known = knownModel(ref, this.#store);
    if (known !== null) {
      if (known.file === null || !(await hasModel(this.#home.folder, known.file))) return null;
      return this.#describe(known.ref, modelPath(this.#home.folder, known.file), known.file);
    }
    const path = resolve(this.#store.find(ref)?.path ?? ref);
    const isThere = statSync(path, { throwIfNoEntry: false })?.isFile() === true || isModelFolder(path);
    return isThere ? this.locate(ref) : null;
  }

  /**
   * How to begin with a model where nobody says otherwise. One that is not here or cannot be read is begun as one of the
   * default's size is: what is wrong with it is said where it is opened.
   */
  async beginning(ref: string): Promise<Beginning> {
    const entry = entryOf(ref);
    if (entry !== null) return beginningOfEntry(entry);
    const model = await this.find(ref);
    const same = model === null ? undefined : loadCatalogue().models.find(({ sha256 }) => sha256 === model.sha256);
    if (same !== undefined) return beginningOfEntry(same);
    if (model === null || this.#shape === undefined) return beginningOfUnknown();
    const known = this.#beginnings.get(model.sha256);
    if (known !== undefined) return known;
    try {
      const found = beginningOf(await this.#shape(model.path));
      this.#beginnings.set(model.sha256, found);
      return found;
    } catch (error) {
      if (!(error instanceof NamesakeError)) throw error;
      return beginningOfUnknown();
    }
  }

  async #fetch(known: KnownModel, acceptLicence: boolean, signal?: AbortSignal): Promise<LocalModel> {
    const whole = await this.#complete(known, signal);
    // What is here was accepted when it was fetched.
    const here = await hasModel(this.#home.folder, whole.file);
    if (!here || acceptLicence) this.#checkLicence(whole, acceptLicence);
    const file = here ? whole.file : await this.#fetchStated(known, whole, acceptLicence, signal);
    return this.#describe(whole.ref, modelPath(this.#home.folder, file), file);
  }

  /**
   * Fetches a model and returns what it is. Where a hub stated it some time ago and has something else now, it is asked once
   * more: a branch moves on.
   */
  async #fetchStated(known: KnownModel, whole: { file: ModelEntry }, acceptLicence: boolean, signal?: AbortSignal): Promise<ModelEntry> {
    const fetch = async (file: ModelEntry): Promise<ModelEntry> => {
      await this.#downloads.fetch(known.ref, file, signal);
      return file;
    };
    try {
      return await fetch(whole.file);
    } catch (error) {
      const isRemembered = known.file !== null && (known.entry === null || known.entry.sha256 === null);
      if (!isRemembered || !(error instanceof NamesakeError) || error.code !== 'model.checksum_mismatch') throw error;
      const now = await this.#complete({ ...known, file: null }, signal);
      if (now.file.sha256 === whole.file.sha256) throw error;
      // What came of the old one lies where nobody would look for it again.
      if (now.file.id !== whole.file.id) this.#removeFolder(known.ref, modelFolder(this.#home.folder, whole.file));
      this.#checkLicence(now, acceptLicence);
      return fetch(now.file);
    }
  }

  #describe(id: string, path: string, { sha256, sources }: Pick<ModelEntry, 'sha256' | 'sources'>): LocalModel {
    const known = entryOf(id) ?? loadCatalogue().models.find((model) => model.sha256 === sha256);
    const [repository] = sources.flatMap((source) => (source.kind === 'huggingface' ? [source.repo] : []));
    const base = isModelFolder(path) ? (repository ?? path) : id;
    return { id, path, sha256, weak_languages: known?.weak_languages ?? [], base };
  }

  /** Notes that a model is in use by this process, for all processes of the home, until the returned function is called. */
  use({ path }: LocalModel): () => void {
    return this.#files.use(path);
  }

  /**
   * Remembers a .gguf file or a folder under a free id made from its name; the caller has opened it once to check it. A file
   * that came in through a door is moved into the home. Throws disk.full or disk.unwritable.
   */
  async add(path: string, name = basename(path)): Promise<string> {
    const absolute = resolve(path);
    const taken = (id: string): boolean => entryOf(id) !== null || (this.#store.find(id)?.path ?? absolute) !== absolute;
    const plain = name
      .replace(/\.gguf$/i, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}.-]+/gu, '-')
      .replace(/^[.-]+/, '')
      .slice(0, 80);
    const stem = plain === '' ? 'model' : plain;
    let id = stem;
    for (let n = 2; taken(id); n++) id = `${stem}-${n}`;
    this.#store.add({ id, path: await this.#files.keep(absolute, id) });
    return id;
  }

  /**
   * Removes a model's files from the home, or forgets what the person added (theirs stays where it is). Returns the
   * bytes that are free now. Throws model.unknown, model.in_use, disk.unwritable.
   */
  async remove(ref: string): Promise<number> {
    const added = this.#store.find(ref);
    if (added !== undefined) {
      this.#refuseInUse(ref, added.path);
      this.#store.remove(ref);
      return this.#files.removeOwn(added.path) + this.#files.removeQuantized();
    }
    const known = knownModel(ref, this.#store);
    if (known === null || (known.entry === null && known.file === null)) throw new NamesakeError('model.unknown', ref, { ref });
    const place = known.file ?? known.entry;
    const folder = modelFolder(this.#home.folder, place as { id: string });
    await this.#downloads.pause(ref);
    this.#refuseInUse(ref, folder);
    const freed = this.#removeFolder(ref, folder);
    this.#store.removeHubModel(ref);
    return freed + this.#files.removeQuantized();
  }

  /** Throws model.in_use where a run trains this model or a process has its file open. */
  #refuseInUse(ref: string, path: string): void {
    let trains = true;
    whileFree(this.#home, () => (trains = false));
    const inUse = this.#files.inUse(path) || (trains && this.#store.trainedRefs().some((trained) => trained === ref || resolve(trained) === path));
    if (inUse) throw new NamesakeError('model.in_use', ref, { model: ref });
  }

  #removeFolder(ref: string, folder: string): number {
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) return 0;
    // Another process that fetches it holds this lock.
    const release = onDisk(folder, () => tryLock(join(folder, '.lock')));
    if (release === null) throw new NamesakeError('model.in_use', `${ref} is being fetched`, { model: ref });
    let freed = 0;
    try {
      for (const name of readdirSync(folder).filter((one) => !one.startsWith('.lock'))) {
        const path = join(folder, name);
        freed += statSync(path).size;
        rmSync(path, { recursive: true, force: true });
      }
    } catch (error) {
      throw diskError(error, folder) ?? error;
    } finally {
      release();
    }
    try {
      rmdirSync(folder);
    } catch {
      // Someone fetches it again already.
    }
    return freed;
  }
}
