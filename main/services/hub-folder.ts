// Hub folder: a repository that is a model's folder in Hugging Face's layout: which of its files make the model, each with the size and
// checksum that the hub states.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { OpenOptions } from '../../tools/http.mjs';
import { fileUrl, type Hub } from '../../tools/hubs.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import type { HubModel } from '../../shared/model.ts';
import { askHub, HubError } from './hub-reply.ts';
import { isModelPart, partsSha256 } from './model-parts.ts';

/** A file of a repository as its hub states it. */
export interface RepositoryFile {
  path: string;
  /** NaN where the hub does not state it. */
  size: number;
  sha256: string | null;
  /** git's own checksum, where the hub states that alone: of small files. */
  blob: string | null;
}

/** What a hub tells of a repository. */
export interface Repository {
  /** The revision that the files belong to: a commit where the hub tells it. */
  revision: string;
  /** As GGUF files call it; null where the hub does not say. */
  architecture: string | null;
  licence: string | null;
  files: RepositoryFile[];
}

/** A folder's files as they are fetched, its config.json last; size and sha256 of the whole. */
export type StatedFolder = Pick<HubModel, 'size_bytes' | 'sha256'> & { parts: NonNullable<HubModel['parts']> };

const CONFIG = 'config.json';
/** Kinds of models that the engine computes, as a config.json calls them. */
const KINDS = new Set(['llama', 'mistral', 'qwen2', 'qwen3', 'internlm2']);
/** Weights in Hugging Face's layout, whole or in shards. */
const WEIGHTS = /^model(?:-\d{5}-of-(\d{5}))?\.safetensors$/;
/** What is read of a small file at once: the largest vocabularies take half of it. */
const MOST_SMALL_BYTES = 32 * 2 ** 20;

/** Size and sha256 as the hub states them. Throws model.source_unsupported where it states none. */
export function stated(ref: string, { path, size, sha256 }: Pick<RepositoryFile, 'path' | 'size' | 'sha256'>): { size_bytes: number; sha256: string } {
  const hash = sha256?.toLowerCase() ?? '';
  if (!/^[0-9a-f]{64}$/.test(hash) || !Number.isSafeInteger(size) || size <= 0) {
    throw new NamesakeError('model.source_unsupported', `the hub states no size and sha256 for ${path}`, { ref });
  }
  return { size_bytes: size, sha256: hash };
}

/** Whether a repository is a folder in Hugging Face's layout. */
export function isFolder(files: readonly RepositoryFile[]): boolean {
  return files.some(({ path }) => path === CONFIG) && files.some(({ path }) => WEIGHTS.test(path));
}

/** Whether the weights are all there: in one file, or in shards with their index. */
function hasWeights(names: ReadonlySet<string>): boolean {
  if (names.has('model.safetensors')) return true;
  const total = [...names].flatMap((name) => WEIGHTS.exec(name)?.[1] ?? [])[0] ?? '0';
  const shards = Array.from({ length: Number(total) }, (_, n) => `model-${String(n + 1).padStart(5, '0')}-of-${total}.safetensors`);
  return names.has('model.safetensors.index.json') && shards.length > 0 && shards.every((name) => names.has(name));
}

/**
 * The files of a folder that make its model, its config.json first. Empty ones say nothing and are left out, and so are weights
 * that lie there once more under another name. Throws model.source_unsupported where some of the model is missing.
 */
function folderFiles(files: readonly RepositoryFile[], repo: string): [config: RepositoryFile, ...others: RepositoryFile[]] {
  const parts = files.filter(({ path, size }) => size !== 0 && isModelPart(path) && (!path.endsWith('.safetensors') || WEIGHTS.test(path)));
  const names = new Set(parts.map(({ path }) => path));
  const config = parts.find(({ path }) => path === CONFIG);
  const lacks = (what: string): NamesakeError => new NamesakeError('model.source_unsupported', `the repository has no ${what}`, { ref: repo });
  if (config === undefined) throw lacks(CONFIG);
  if (!hasWeights(names)) throw lacks('model.safetensors, and not all of its shards with their index');
  if (!names.has('tokenizer.json') && !names.has('tokenizer.model')) throw lacks('tokenizer.json or tokenizer.model');
  return [config, ...parts.filter((part) => part !== config)];
}

/**
 * A small file, read and checked by the sha256 that the hub states of it, or by git's checksum. Throws
 * model.source_unsupported where it states neither; HubError where the hub does not give that very file.
 */
async function readStated(hub: Hub, { revision }: Repository, repo: string, { path, size, sha256, blob }: RepositoryFile, options: OpenOptions): Promise<Buffer> {
  if ((sha256 ?? blob) === null || size > MOST_SMALL_BYTES) {
    throw new NamesakeError('model.source_unsupported', `the hub states no sha256 for ${path}`, { ref: repo });
  }
  try {
    return await askHub(hub, fileUrl(hub, { repo, revision, file: path }), MOST_SMALL_BYTES, options, (bytes) => {
      const found = sha256 === null ? hashOf('sha1', `blob ${bytes.length}\0`, bytes) : hashOf('sha256', bytes);
      if (found !== (sha256?.toLowerCase() ?? blob)) throw new HubError('lost', 'it is not what the hub states');
      return bytes;
    });
  } catch (error) {
    // The hub has the repository: a file of it that is missing is lost.
    throw error instanceof HubError ? new HubError(error.why === 'denied' ? 'denied' : 'lost', `${path}: ${error.message}`) : error;
  }
}

function hashOf(kind: 'sha1' | 'sha256', ...data: (string | Buffer)[]): string {
  const hash = createHash(kind);
  for (const one of data) hash.update(one);
  return hash.digest('hex');
}

/**
 * A folder's files with size and sha256 each, and those of the whole. Throws as `readStated` and `folderFiles`, and
 * model.unknown_architecture.
 */
export async function statedFolder(hub: Hub, repository: Repository, repo: string, options: OpenOptions): Promise<StatedFolder> {
  const read = (file: RepositoryFile): Promise<Buffer> => readStated(hub, repository, repo, file, options);
  const state = (file: RepositoryFile, bytes: Buffer | null): StatedFolder['parts'][number] => {
    return { file: file.path, ...stated(repo, bytes === null ? file : { ...file, sha256: hashOf('sha256', bytes) }) };
  };
  const [config, ...others] = folderFiles(repository.files, repo);
  const text = await read(config);
  checkKind(text, repo);
  const parts: StatedFolder['parts'] = [];
  for (const file of others) parts.push(state(file, file.sha256 === null ? await read(file) : null));
  // It makes a folder a model: it comes last.
  parts.push(state(config, text));
  const named = parts.map(({ file, size_bytes, sha256 }) => ({ name: file, size: size_bytes, sha256 })).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { size_bytes: parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0), sha256: partsSha256(named), parts };
}

/** Throws model.unknown_architecture for a config.json of a kind of model that the engine does not compute: better said before gigabytes. */
function checkKind(config: Buffer, repo: string): void {
  const kind = z.object({ model_type: z.string() }).safeParse(parsed(config)).data?.model_type ?? '?';
  if (!KINDS.has(kind)) throw new NamesakeError('model.unknown_architecture', `${repo} is of the kind “${kind.slice(0, 40)}”`);
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return null;
  }
}
