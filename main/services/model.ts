// Model service: from a model REF to a file on this machine, fetching catalogue models that the home lacks.
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { ensureModel, hasModel, modelPath, ModelUnavailableError } from '../../tools/fetch-model.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import type { CatalogueModel } from '../../shared/model.ts';
import type { Language } from '../../shared/persona.ts';
import { diskError } from '../disk.ts';
import type { Home } from '../home.ts';
import { loadCatalogue } from '../resources.ts';
import type { ModelStore } from '../store/models.ts';

/** A REF to a model hub. */
const SOURCE = /^(hf|modelscope):/;

/** A model on this machine. */
export interface LocalModel {
  id: string;
  path: string;
  /** sha256 of the file: what base answers and provenance refer to. */
  sha256: string;
  weak_languages: readonly Language[];
  /** The shipped recipe that `make` takes for it. */
  recipe: string;
}

export interface FetchProgress {
  log(line: string): void;
  onBytes(done: number, total: number): void;
}

export interface ListedModel {
  id: string;
  name: string;
  licence: string | null;
  size_bytes: number | null;
  here: boolean;
  path: string;
}

/** Whether a REF is the path of a file by its looks. */
export function isFileRef(ref: string): boolean {
  return !SOURCE.test(ref) && /[\\/]|\.gguf$/i.test(ref);
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export class ModelService {
  readonly #home: Home;
  readonly #store: ModelStore;
  readonly #progress: FetchProgress;

  constructor(home: Home, store: ModelStore, progress: FetchProgress) {
    this.#home = home;
    this.#store = store;
    this.#progress = progress;
  }

  get default(): string {
    return loadCatalogue().default;
  }

  #entry(ref: string): CatalogueModel | undefined {
    return loadCatalogue().models.find(({ id }) => id === ref);
  }

  /** Catalogue models and added files, whether they are here or not. */
  async list(): Promise<ListedModel[]> {
    const catalogue = await Promise.all(
      loadCatalogue().models.map(async (entry) => ({
        id: entry.id,
        name: entry.name,
        licence: entry.licence,
        size_bytes: entry.size_bytes,
        here: await hasModel(this.#home.folder, entry),
        path: modelPath(this.#home.folder, entry),
      })),
    );
    const added = this.#store.list().map(({ id, path }) => {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? null;
      return { id, name: basename(path), licence: null, size_bytes: size, here: size !== null, path };
    });
    return [...catalogue, ...added];
  }

  /** Remembers a .gguf file under a free id made from its name; the caller has opened it once to check it. */
  add(path: string): string {
    const absolute = resolve(path);
    const taken = (id: string): boolean => this.#entry(id) !== undefined || (this.#store.find(id)?.path ?? absolute) !== absolute;
    const name = basename(absolute).replace(/\.gguf$/i, '').toLowerCase().replace(/[^\p{L}\p{N}.-]+/gu, '-');
    let id = name;
    for (let n = 2; taken(id); n++) id = `${name}-${n}`;
    this.#store.add({ id, path: absolute });
    return id;
  }

  /**
   * Finds a REF's file. Throws model.unknown, model.not_found, model.source_unsupported, download.failed, disk.full or
   * disk.unwritable.
   */
  async locate(ref: string): Promise<LocalModel> {
    if (SOURCE.test(ref)) throw new NamesakeError('model.source_unsupported', ref, { ref });
    const entry = this.#entry(ref);
    if (entry !== undefined) return this.#fetch(entry);
    const added = this.#store.find(ref);
    const path = resolve(added?.path ?? ref);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) {
      const isPath = added !== undefined || isFileRef(ref);
      throw isPath
        ? new NamesakeError('model.not_found', path, { path })
        : new NamesakeError('model.unknown', ref, { ref });
    }
    if (found.isDirectory()) throw new NamesakeError('model.source_unsupported', `${path} is a folder`, { ref });
    const catalogue = loadCatalogue();
    const sha256 = await fileSha256(path);
    const known = catalogue.models.find((model) => model.sha256 === sha256);
    const fallback = this.#entry(catalogue.default);
    return {
      id: added?.id ?? path,
      path,
      sha256,
      weak_languages: known?.weak_languages ?? [],
      recipe: known?.recipe ?? fallback?.recipe ?? '',
    };
  }

  async #fetch(entry: CatalogueModel): Promise<LocalModel> {
    try {
      const path = await ensureModel(this.#home.folder, entry, this.#progress);
      const { id, sha256, weak_languages, recipe } = entry;
      return { id, path, sha256, weak_languages, recipe };
    } catch (error) {
      if (error instanceof ModelUnavailableError) throw new NamesakeError('download.failed', error.reasons.join('; '));
      throw diskError(error, this.#home.folder) ?? error;
    }
  }
}
