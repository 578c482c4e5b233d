// Known model: what is known of a model that can be fetched, of the catalogue or on a hub, without asking anyone.
import type { CatalogueModel, HubModel } from '../../shared/model.ts';
import type { ModelEntry } from '../../tools/fetch-model.mjs';
import { loadCatalogue } from '../resources.ts';
import type { ModelStore } from '../store/models.ts';
import { parseHubRef } from './hub.ts';

/** A model that can be fetched, as far as it is known. */
export interface KnownModel {
  /** Its REF or catalogue id. */
  ref: string;
  entry: CatalogueModel | null;
  /** null where the hub still has to say what it is. */
  file: ModelEntry | null;
  licence: string | null;
  licence_url: string | null;
}

/** The catalogue's entry of an id; null where it has none. */
export function entryOf(ref: string): CatalogueModel | null {
  return loadCatalogue().models.find(({ id }) => id === ref) ?? null;
}

/** What a hub stated of a catalogue model whose entry leaves that to it. */
function statedBy(model: HubModel | undefined): Pick<HubModel, 'size_bytes' | 'sha256' | 'sources' | 'parts'> | undefined {
  return model === undefined ? undefined : { size_bytes: model.size_bytes, sha256: model.sha256, sources: model.sources, ...(model.parts !== undefined && { parts: model.parts }) };
}

/** What is known of a catalogue id or of a REF to a hub without asking anyone; null for anything else. */
export function knownModel(ref: string, store: ModelStore): KnownModel | null {
  const entry = entryOf(ref);
  if (entry !== null) {
    const { id, file, size_bytes, sha256, sources, licence, licence_url } = entry;
    const found = sha256 === null ? statedBy(store.hubModel(id)) : { sha256 };
    const whole = found === undefined ? null : { id, file, size_bytes, sources, ...found };
    return { ref, entry, file: whole, licence, licence_url };
  }
  const hubRef = parseHubRef(ref);
  if (hubRef === null) return null;
  const model = store.hubModel(ref);
  return { ref, entry: null, file: model ?? null, licence: model?.licence ?? null, licence_url: model?.licence_url ?? null };
}
