// Hub folder: a repository that is a model's folder in Hugging Face's layout: which of its files make the model, each with the size and
// checksum that the hub states.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { open, readBytes, type OpenOptions } from '../../tools/http.mjs';
import { credentialsOf, fileUrl, type Hub } from '../../tools/hubs.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import type { HubModel } from '../../shared/model.ts';
import { isModelPart, partsSha256 } from './model-parts.ts';

/** A file of a repository as its hub states it. */
export interface RepositoryFile {
  path: string;
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

const CONFIG = 'config.json';
/** Kinds of models that the engine computes, as a config.json calls them. */
const KINDS = new Set(['llama', 'mistral', 'qwen2', 'qwen3', 'internlm2']);
/** Weights in Hugging Face's layout, whole or in shards. */
const WEIGHTS = /^model(?:-\d{5}-of-\d{5})?\.safetensors$/;
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

/** What is asked of one hub after another until one answers: the hub that did comes with its answer. */
export interface Found {
  hub: Hub;
  repository: Repository;
}

/** Whether a repository is a folder in Hugging Face's layout. */
export function isFolder(files: readonly RepositoryFile[]): boolean {
  return files.some(({ path }) => path === CONFIG) && files.some(({ path }) => WEIGHTS.test(path));
}

/** The files of a folder that make its model. Weights that lie there once more under another name are left out. */
function folderFiles(files: readonly RepositoryFile[]): RepositoryFile[] {
  const parts = files.filter(({ path }) => isModelPart(path) && (!path.endsWith('.safetensors') || WEIGHTS.test(path)));
  // Its config.json makes a folder a model: it comes last.
  return [...parts.filter(({ path }) => path !== CONFIG), ...parts.filter(({ path }) => path === CONFIG)];
}

/**
 * A small file whose sha256 the hub does not state, read and checked by git's checksum, which it does. Throws
 * model.source_unsupported where it states neither or the file is another one, download.failed.
 */
async function readStated({ hub, repository }: Found, repo: string, file: RepositoryFile, options: OpenOptions): Promise<Buffer> {
  const unsupported = (detail: string): NamesakeError => new NamesakeError('model.source_unsupported', detail, { ref: repo });
  if (file.blob === null || file.size > MOST_SMALL_BYTES) throw unsupported(`the hub states no sha256 for ${file.path}`);
  const address = fileUrl(hub, { repo, revision: repository.revision, file: file.path });
  const lost = (detail: string): NamesakeError => new NamesakeError('download.failed', `${new URL(hub.base).host}: ${file.path}: ${detail}`);
  let bytes: Buffer;
  try {
    const reply = await open(address, { ...options, credentials: credentialsOf(hub) });
    if (reply.statusCode !== 200) {
      reply.destroy();
      throw lost(`the server answered ${reply.statusCode ?? 0}`);
    }
    bytes = await readBytes(reply, MOST_SMALL_BYTES);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error instanceof NamesakeError ? error : lost(error instanceof Error ? error.message : String(error));
  }
  if (createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex') !== file.blob) throw unsupported(`${file.path} is not what the hub states`);
  return bytes;
}

/** A folder's files with size and sha256 each, and those of the whole. Throws as `readStated`, and model.unknown_architecture. */
export async function statedFolder(found: Found, repo: string, options: OpenOptions): Promise<Required<Pick<HubModel, 'size_bytes' | 'sha256' | 'parts'>>> {
  const parts: { file: string; size_bytes: number; sha256: string }[] = [];
  for (const file of folderFiles(found.repository.files)) {
    const small = file.sha256 === null ? await readStated(found, repo, file, options) : null;
    if (file.path === CONFIG && small !== null) checkKind(small, repo);
    const sha256 = small === null ? file.sha256 : createHash('sha256').update(small).digest('hex');
    parts.push({ file: file.path, ...stated(repo, { ...file, sha256 }) });
  }
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
