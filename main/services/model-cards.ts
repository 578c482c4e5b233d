// Model cards: what people are shown of a model before they choose it.
import { basename } from 'node:path';
import type { MemoryBudget, Placement } from '../../shared/memory.ts';
import type { CatalogueModel, ModelCard } from '../../shared/model.ts';
import { hasModel, modelPath } from '../../tools/fetch-model.mjs';
import type { Home } from '../home.ts';
import { loadCatalogue } from '../resources.ts';
import type { Downloads } from './downloads.ts';
import { entryOf, type KnownModel } from './known-model.ts';
import { modelBytes } from './model-parts.ts';

/** What making an assistant from a model takes, what there is, and whether that is enough on what computes. */
export interface MemoryNeed extends Pick<MemoryBudget, 'fits' | 'available'> {
  needs: number;
  placement: Placement;
  quantised: boolean;
}

export interface ModelCardOptions {
  /** null where it cannot be told. */
  need?: (model: ModelCard, entry: CatalogueModel | null) => Promise<MemoryNeed | null>;
  /** How long the newest assistant from a model took here, in seconds; null before there is one. */
  madeSeconds?: (ref: string) => number | null;
}

export class ModelCards {
  readonly #home: Home;
  readonly #downloads: Downloads;
  readonly #options: ModelCardOptions;

  constructor(home: Home, downloads: Downloads, options: ModelCardOptions) {
    this.#home = home;
    this.#downloads = downloads;
    this.#options = options;
  }

  /** The card of a model that can be fetched; whether it fits is for `withNeed`. */
  async card({ ref, entry, file, licence, licence_url }: KnownModel): Promise<ModelCard> {
    const place = file ?? (entry === null ? null : { id: entry.id, file: entry.file });
    const here = file !== null && (await hasModel(this.#home.folder, file));
    return {
      id: ref,
      name: entry?.name ?? (file?.file || ref),
      licence,
      licence_url,
      purpose: entry?.purpose ?? 'own',
      standard: ref === loadCatalogue().default,
      languages: entry?.languages ?? [],
      weak_languages: entry?.weak_languages ?? [],
      size_bytes: file?.size_bytes ?? entry?.size_bytes ?? null,
      here,
      path: place === null ? '' : modelPath(this.#home.folder, place),
      needs_bytes: null,
      available_bytes: 0,
      fits: null,
      placement: null,
      quantised: null,
      made_seconds: this.#madeSeconds(ref),
      download: here ? null : this.#downloads.state(ref, file),
    };
  }

  /** The card of a file or folder that the person added. */
  ownCard(id: string, path: string): ModelCard {
    const size = modelBytes(path);
    return {
      ...{ id, name: basename(path), licence: null, licence_url: null, purpose: 'own', standard: false, languages: [], weak_languages: [] },
      ...{ size_bytes: size, here: size !== null, path, needs_bytes: null, available_bytes: 0, fits: null, placement: null, quantised: null },
      ...{ made_seconds: this.#madeSeconds(id), download: null },
    };
  }

  #madeSeconds(ref: string): number | null {
    return this.#options.madeSeconds?.(ref) ?? null;
  }

  /** The card with what the model needs, and whether that fits. */
  async withNeed(card: ModelCard): Promise<ModelCard> {
    const memory = (await this.#options.need?.(card, entryOf(card.id))) ?? null;
    if (memory === null) return { ...card, available_bytes: process.availableMemory() };
    const { needs, available, fits, placement, quantised } = memory;
    return { ...card, needs_bytes: needs, available_bytes: available, fits, placement, quantised };
  }
}
