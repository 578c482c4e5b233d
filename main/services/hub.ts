// Hub: what a repository on Hugging Face, a mirror of it or ModelScope holds, as its own interface tells: one GGUF file, or a
// folder in Hugging Face's layout. Nothing is guessed: size and checksum of a file are the hub's.
import { z } from 'zod';
import type { OpenOptions } from '../../tools/http.mjs';
import type { Hub } from '../../tools/hubs.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import type { CatalogueModel, HubModel } from '../../shared/model.ts';
import { isFolder, stated, statedFolder, type Repository, type RepositoryFile, type StatedFolder } from './hub-folder.ts';
import { askHub, HubError } from './hub-reply.ts';

/** hf:OWNER/NAME[@REV][#FILE.gguf], or modelscope: in its place. */
export interface HubRef {
  kind: 'huggingface' | 'modelscope';
  repo: string;
  revision: string | null;
  /** Chooses one file where a repository holds several. */
  file: string | null;
  /** The REF itself. */
  text: string;
}

const REF = /^(hf|modelscope):([\w][\w.-]*\/[\w][\w.-]*)(?:@([\w][\w./-]*))?(?:#([\w][\w.-]*(?:\/[\w][\w.-]*)*\.gguf))?$/i;
/** A REF and a file's name that any file system takes. */
const LONGEST_REF = 200;
const LONGEST_NAME = 120;
const LONGEST_LICENCE = 100;
const MOST_REPLY_BYTES = 16 * 2 ** 20;
/** More names than a person reads. */
const MOST_NAMED = 12;

/** Formats of weights that the engine decodes, as file names say them. */
const SUPPORTED = /(?:^|[-._])(?:f32|f16|fp16|bf16|q8_0|q[45]_[01]|q[45]_k(?:_[sm])?|q6_k)\.gguf$/i;
/** Families of models that the engine computes, as GGUF files call them. */
const ARCHITECTURES = new Set(['llama', 'qwen2', 'qwen3', 'internlm2']);
/** Names that say some other format. */
const OTHER_FORMAT = /(?:^|[-._])(?:i?q\d\w*|tq\d\w*|mxfp\d\w*)\.gguf$/i;
/** A part of a model, or no language model. */
const NO_MODEL = /-\d{5}-of-\d{5}\.gguf$|(?:^|[-._/])(?:mmproj|imatrix)[-._]/i;

/** A REF to a hub in its parts; null where it is none. Throws model.source_unsupported for one that is malformed. */
export function parseHubRef(text: string): HubRef | null {
  if (!/^(hf|modelscope):/i.test(text)) return null;
  const [, scheme = '', repo, revision, file] = REF.exec(text) ?? [];
  if (repo === undefined || text.includes('..') || text.length > LONGEST_REF) {
    throw new NamesakeError('model.source_unsupported', 'it is not of the form hf:OWNER/NAME[@REV][#FILE.gguf]', { ref: text });
  }
  const kind = scheme.toLowerCase() === 'hf' ? 'huggingface' : 'modelscope';
  return { kind, repo, revision: revision ?? null, file: file ?? null, text };
}

const hubFileSchema = z.object({
  rfilename: z.string(),
  size: z.number().nullish(),
  blobId: z.string().nullish(),
  lfs: z.object({ sha256: z.string().nullish(), size: z.number().nullish() }).nullish(),
});
const huggingFaceSchema = z.object({
  sha: z.string(),
  cardData: z.object({ license: z.union([z.string(), z.array(z.string())]).nullish(), license_name: z.string().nullish() }).nullish(),
  gguf: z.object({ architecture: z.string().nullish() }).nullish(),
  siblings: z.array(hubFileSchema),
});
const modelScopeFilesSchema = z.object({
  Data: z.object({ Files: z.array(z.object({ Path: z.string(), Type: z.string(), Size: z.number(), Sha256: z.string().nullish() })) }),
});
const modelScopeModelSchema = z.object({ Data: z.object({ License: z.string().nullish() }) });

function ask<T>(hub: Hub, path: string, schema: z.ZodType<T>, options: OpenOptions): Promise<T> {
  return askHub(hub, `${hub.base}${path}`, MOST_REPLY_BYTES, options, (reply) => {
    const parsed = schema.safeParse(JSON.parse(reply.toString('utf8')));
    if (!parsed.success) throw new HubError('lost', 'the server’s answer is not the one of a hub');
    return parsed.data;
  });
}

async function readRepository(hub: Hub, repo: string, revision: string | null, options: OpenOptions): Promise<Repository> {
  if (hub.kind === 'huggingface') {
    const path = `/api/models/${repo}/revision/${encodeURIComponent(revision ?? 'main')}?blobs=true`;
    const { sha, cardData, gguf, siblings } = await ask(hub, path, huggingFaceSchema, options);
    const files = siblings.map(({ rfilename, size, blobId, lfs }) => ({ path: rfilename, size: lfs?.size ?? size ?? NaN, sha256: lfs?.sha256 ?? null, blob: blobId ?? null }));
    const licence = cardData?.license === 'other' ? (cardData.license_name ?? 'other') : cardData?.license;
    return { revision: sha, architecture: gguf?.architecture ?? null, licence: [licence ?? []].flat().join(', ') || null, files };
  }
  const wanted = revision ?? 'master';
  const path = `/api/v1/models/${repo}/repo/files?Revision=${encodeURIComponent(wanted)}&Recursive=true`;
  const { Data } = await ask(hub, path, modelScopeFilesSchema, options);
  const files = Data.Files.filter(({ Type }) => Type !== 'tree').map(({ Path, Size, Sha256 }) => ({ path: Path, size: Size, sha256: Sha256 || null, blob: null }));
  const about = await ask(hub, `/api/v1/models/${repo}`, modelScopeModelSchema, options);
  return { revision: wanted, architecture: null, licence: about.Data.License || null, files };
}

/** The first hub's answer; errors of all as one. Throws model.unknown, download.denied, download.failed. */
async function firstAnswer<T>(kind: HubRef['kind'], repo: string, hubs: readonly Hub[], read: (hub: Hub) => Promise<T>): Promise<T> {
  const failed: { host: string; why: HubError['why']; message: string }[] = [];
  for (const hub of hubs.filter((one) => one.kind === kind)) {
    try {
      return await read(hub);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      failed.push({ host: new URL(hub.base).host, why: error.why, message: error.message });
    }
  }
  const detail = failed.map(({ host, message }) => `${host}: ${message}`).join('; ') || 'no hub of this kind is among the sources in the settings';
  const denied = failed.find(({ why }) => why === 'denied');
  if (denied !== undefined) throw new NamesakeError('download.denied', detail, { host: denied.host });
  if (failed.length > 0 && failed.every(({ why }) => why === 'missing')) throw new NamesakeError('model.unknown', detail, { ref: repo });
  throw new NamesakeError('download.failed', detail);
}

/** The one file that a REF means. Throws model.source_unsupported, model.ambiguous. */
function chooseFile(ref: HubRef, files: readonly RepositoryFile[]): RepositoryFile {
  const unsupported = (detail: string): NamesakeError => new NamesakeError('model.source_unsupported', detail, { ref: ref.text });
  const models = files.filter(({ path }) => /\.gguf$/i.test(path) && !NO_MODEL.test(path));
  if (ref.file !== null) {
    const named = models.find(({ path }) => path === ref.file) ?? models.find(({ path }) => path.split('/').at(-1) === ref.file);
    if (named === undefined) throw unsupported(`the repository has no model file ${ref.file}`);
    if (OTHER_FORMAT.test(named.path) && !SUPPORTED.test(named.path)) throw unsupported(`the format of ${ref.file} is not supported`);
    return named;
  }
  const supported = models.filter(({ path }) => SUPPORTED.test(path));
  const candidates = supported.length > 0 ? supported : models.filter(({ path }) => !OTHER_FORMAT.test(path));
  const [only, ...others] = candidates;
  if (only === undefined) {
    throw unsupported(models.length === 0 ? 'the repository has no .gguf file' : 'its files are in formats that are not supported');
  }
  if (others.length > 0) {
    const names = candidates.map(({ path }) => path).sort();
    const listed = names.slice(0, MOST_NAMED).join(', ') + (names.length > MOST_NAMED ? ', …' : '');
    throw new NamesakeError('model.ambiguous', listed, { ref: ref.text, files: listed });
  }
  return only;
}

/** Names that hubs use for licences, as SPDX writes them. */
const spdx = new Map([
  ['apache-2.0', 'Apache-2.0'],
  ['apache license 2.0', 'Apache-2.0'],
  ['mit', 'MIT'],
  ['bsd-3-clause', 'BSD-3-Clause'],
]);

/** Where a repository's licence can be read: its own page. */
function pageOf(ref: Pick<HubRef, 'kind' | 'repo'>): string {
  return ref.kind === 'huggingface' ? `https://huggingface.co/${ref.repo}` : `https://www.modelscope.cn/models/${ref.repo}`;
}

/** What a repository holds, by the first hub that answers. */
/** What a hub tells of a repository, and of the model that it is where it was asked for as a folder. */
interface Found {
  repository: Repository;
  folder: StatedFolder | null;
}

/** The first hub that tells all of it: one that lists a folder and does not give its small files is no answer. */
function findRepository(
  { kind, repo, revision, text }: Pick<HubRef, 'kind' | 'repo' | 'revision' | 'text'>,
  asFolder: (files: readonly RepositoryFile[]) => boolean,
  hubs: readonly Hub[],
  options: OpenOptions,
): Promise<Found> {
  return firstAnswer(kind, text, hubs, async (hub) => {
    const repository = await readRepository(hub, repo, revision, options);
    return { repository, folder: asFolder(repository.files) ? await statedFolder(hub, repository, repo, options) : null };
  });
}

/**
 * What a REF means now: one file (or a folder, where there is no such file and the repository is one), its size, sha256 and licence. Throws model.unknown (no such repository), model.ambiguous
 * (several usable files), model.source_unsupported (none), model.unknown_architecture (where the hub tells so), download.denied,
 * download.failed; an abort as its reason.
 */
export async function resolveHubRef(ref: HubRef, hubs: readonly Hub[], options: OpenOptions = {}): Promise<HubModel> {
  const asFolder = (files: readonly RepositoryFile[]): boolean => ref.file === null && !files.some(({ path }) => /\.gguf$/i.test(path)) && isFolder(files);
  const { repository, folder } = await findRepository(ref, asFolder, hubs, options);
  const { revision, architecture, licence, files } = repository;
  // Better said now than after some hundred megabytes.
  if (architecture !== null && !ARCHITECTURES.has(architecture)) {
    throw new NamesakeError('model.unknown_architecture', `the hub says that ${ref.repo} is of the kind “${architecture.slice(0, 40)}”`);
  }
  const owner = ref.repo.replace('/', '--');
  const terms = {
    licence: licence === null ? null : (spdx.get(licence.toLowerCase()) ?? licence.slice(0, LONGEST_LICENCE)),
    licence_url: pageOf(ref),
  };
  const idOf = (sha256: string): string => `${ref.kind === 'huggingface' ? 'hf' : 'ms'}--${owner}--${sha256.slice(0, 12)}`;
  if (folder !== null) {
    return { id: idOf(folder.sha256), file: '', ...folder, ...terms, sources: [{ kind: ref.kind, repo: ref.repo, revision, file: '' }] };
  }
  const chosen = chooseFile(ref, files);
  const name = chosen.path.split('/').at(-1) ?? chosen.path;
  if (!/^[\w][\w.-]*(?:\/[\w][\w.-]*)*$/.test(chosen.path) || name.length > LONGEST_NAME) {
    throw new NamesakeError('model.source_unsupported', 'the file’s name has characters that are not taken, or too many', { ref: ref.text });
  }
  const about = stated(ref.text, chosen);
  return {
    id: idOf(about.sha256),
    file: name,
    ...about,
    ...terms,
    sources: [{ kind: ref.kind, repo: ref.repo, revision, file: chosen.path }],
  };
}

/**
 * What the hub of a catalogue entry states of its file or folder at the entry's revision; the first source whose hub answers
 * counts. Throws as `resolveHubRef`, and model.source_unsupported where the repository lacks it.
 */
export async function statedModel(
  entry: Pick<CatalogueModel, 'id' | 'sources'>,
  hubs: readonly Hub[],
  options: OpenOptions = {},
): Promise<Pick<HubModel, 'size_bytes' | 'sha256' | 'parts' | 'sources'>> {
  let failed = new NamesakeError('internal', `no hub states the checksum of ${entry.id}`);
  for (const source of entry.sources) {
    if (source.kind !== 'huggingface' && source.kind !== 'modelscope') continue;
    try {
      const { repository, folder } = await findRepository({ ...source, text: source.repo }, () => source.file === '', hubs, options);
      if (folder !== null) {
        // From now on that very revision: a repository's branch moves on.
        const sources = entry.sources.map((one) => (one === source ? { ...source, revision: repository.revision } : one));
        return { ...folder, sources };
      }
      const file = repository.files.find(({ path }) => path === source.file);
      if (file !== undefined) return { ...stated(source.repo, file), sources: entry.sources };
      failed = new NamesakeError('model.source_unsupported', `the repository has no file ${source.file}`, { ref: source.repo });
    } catch (error) {
      if (!(error instanceof NamesakeError)) throw error;
      failed = error;
    }
  }
  throw failed;
}
