// Hub: what a repository on Hugging Face, a mirror of it or ModelScope holds, as its own interface tells. Nothing is guessed:
// size and sha256 of a file are the hub's.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AddressError, open, readReply, type OpenOptions } from '../../tools/http.mjs';
import { credentialsOf, type Hub } from '../../tools/hubs.mjs';
import { NamesakeError } from '../../shared/errors.ts';
import type { HubModel, ModelSource } from '../../shared/model.ts';

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

interface RepositoryFile {
  path: string;
  size: number;
  sha256: string | null;
}

interface Repository {
  /** The revision that the files belong to: a commit where the hub tells it. */
  revision: string;
  /** As GGUF files call it; null where the hub does not say. */
  architecture: string | null;
  licence: string | null;
  files: RepositoryFile[];
}

const REF = /^(hf|modelscope):([\w][\w.-]*\/[\w][\w.-]*)(?:@([\w][\w./-]*))?(?:#([\w][\w.-]*(?:\/[\w][\w.-]*)*\.gguf))?$/i;
/** A REF and a file's name that any file system takes. */
const LONGEST_REF = 200;
const LONGEST_NAME = 120;
const LONGEST_LICENCE = 100;
const MOST_REPLY_BYTES = 16 * 2 ** 20;
const ATTEMPTS = 2;
const PAUSE_MS = 500;
/** More names than a person reads. */
const MOST_NAMED = 12;

/** Formats of weights that the engine decodes, as file names say them. */
const SUPPORTED = /(?:^|[-._])(?:f32|f16|fp16|bf16|q4_0|q4_1|q8_0)\.gguf$/i;
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

/** A hub that did not tell; `why` as in a download. */
class HubError extends Error {
  readonly why: 'denied' | 'missing' | 'lost';

  constructor(why: 'denied' | 'missing' | 'lost', message: string) {
    super(message);
    this.why = why;
  }
}

async function askOnce(hub: Hub, path: string, options: OpenOptions): Promise<unknown> {
  const reply = await open(`${hub.base}${path}`, { ...options, credentials: credentialsOf(hub) });
  const status = reply.statusCode ?? 0;
  if (status !== 200) {
    reply.destroy();
    const text = `the server answered ${status}`;
    if (status === 401 || status === 403) throw new HubError('denied', text);
    throw status >= 500 || status === 429 ? new Error(text) : new HubError('missing', text);
  }
  return JSON.parse(await readReply(reply, MOST_REPLY_BYTES));
}

async function ask<T>(hub: Hub, path: string, schema: z.ZodType<T>, options: OpenOptions): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      const parsed = schema.safeParse(await askOnce(hub, path, options));
      if (!parsed.success) throw new HubError('lost', 'the server’s answer is not the one of a hub');
      return parsed.data;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof HubError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (tried === ATTEMPTS || error instanceof AddressError) throw new HubError('lost', message);
      await sleep(PAUSE_MS);
    }
  }
}

async function readRepository(hub: Hub, repo: string, revision: string | null, options: OpenOptions): Promise<Repository> {
  if (hub.kind === 'huggingface') {
    const path = `/api/models/${repo}/revision/${encodeURIComponent(revision ?? 'main')}?blobs=true`;
    const { sha, cardData, gguf, siblings } = await ask(hub, path, huggingFaceSchema, options);
    const files = siblings.map(({ rfilename, size, lfs }) => ({ path: rfilename, size: lfs?.size ?? size ?? 0, sha256: lfs?.sha256 ?? null }));
    const licence = cardData?.license === 'other' ? (cardData.license_name ?? 'other') : cardData?.license;
    return { revision: sha, architecture: gguf?.architecture ?? null, licence: [licence ?? []].flat().join(', ') || null, files };
  }
  const wanted = revision ?? 'master';
  const path = `/api/v1/models/${repo}/repo/files?Revision=${encodeURIComponent(wanted)}&Recursive=true`;
  const { Data } = await ask(hub, path, modelScopeFilesSchema, options);
  const files = Data.Files.filter(({ Type }) => Type !== 'tree').map(({ Path, Size, Sha256 }) => ({ path: Path, size: Size, sha256: Sha256 || null }));
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

/** Size and sha256 as the hub states them. Throws model.source_unsupported where it states none. */
function stated(ref: string, { path, size, sha256 }: RepositoryFile): { size_bytes: number; sha256: string } {
  const hash = sha256?.toLowerCase() ?? '';
  if (!/^[0-9a-f]{64}$/.test(hash) || !Number.isSafeInteger(size) || size <= 0) {
    throw new NamesakeError('model.source_unsupported', `the hub states no size and sha256 for ${path}`, { ref });
  }
  return { size_bytes: size, sha256: hash };
}

/**
 * What a REF means now: one file, its size, sha256 and licence. Throws model.unknown (no such repository), model.ambiguous
 * (several usable files), model.source_unsupported (none), model.unknown_architecture (where the hub tells so), download.denied,
 * download.failed; an abort as its reason.
 */
export async function resolveHubRef(ref: HubRef, hubs: readonly Hub[], options: OpenOptions = {}): Promise<HubModel> {
  const { revision, architecture, licence, files } = await firstAnswer(ref.kind, ref.text, hubs, (hub) => readRepository(hub, ref.repo, ref.revision, options));
  // Better said now than after some hundred megabytes.
  if (architecture !== null && !ARCHITECTURES.has(architecture)) {
    throw new NamesakeError('model.unknown_architecture', `the hub says that ${ref.repo} is of the kind “${architecture.slice(0, 40)}”`);
  }
  const chosen = chooseFile(ref, files);
  const name = chosen.path.split('/').at(-1) ?? chosen.path;
  if (!/^[\w][\w.-]*(?:\/[\w][\w.-]*)*$/.test(chosen.path) || name.length > LONGEST_NAME) {
    throw new NamesakeError('model.source_unsupported', 'the file’s name has characters that are not taken, or too many', { ref: ref.text });
  }
  const about = stated(ref.text, chosen);
  const owner = ref.repo.replace('/', '--');
  return {
    id: `${ref.kind === 'huggingface' ? 'hf' : 'ms'}--${owner}--${about.sha256.slice(0, 12)}`,
    file: name,
    ...about,
    licence: licence === null ? null : (spdx.get(licence.toLowerCase()) ?? licence.slice(0, LONGEST_LICENCE)),
    licence_url: pageOf(ref),
    sources: [{ kind: ref.kind, repo: ref.repo, revision, file: chosen.path }],
  };
}

/**
 * Size and sha256 of a file at a fixed revision as its hub states them. Throws as `resolveHubRef`, and model.source_unsupported
 * where the repository lacks the file.
 */
export async function statedFile(
  source: Extract<ModelSource, { kind: 'huggingface' | 'modelscope' }>,
  hubs: readonly Hub[],
  options: OpenOptions = {},
): Promise<{ size_bytes: number; sha256: string }> {
  const { files } = await firstAnswer(source.kind, source.repo, hubs, (hub) => readRepository(hub, source.repo, source.revision, options));
  const found = files.find(({ path }) => path === source.file);
  if (found === undefined) throw new NamesakeError('model.source_unsupported', `the repository has no file ${source.file}`, { ref: source.repo });
  return stated(source.repo, found);
}
