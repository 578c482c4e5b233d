// Model folder: the tokenizer files of a folder in Hugging Face's layout, as one tokenizer and chat template. Which of the
// makers' files says what, and which wins, is transformers' order.
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { readSentencepieceModel } from '../pipeline/sentencepiece-model.ts';
import { addedTokenSchema, layTokens, readTokenizerJson, type AddedToken } from '../pipeline/tokenizer-json.ts';
import { tokenizerInvalid, type TokenizerSource } from '../pipeline/vocabulary.ts';

/** The most bytes of a file that are read: some times what the largest known vocabularies take. */
const MAX_VOCABULARY = 128 * 2 ** 20;
const MAX_SETTINGS = 8 * 2 ** 20;

/** A token by its text, or with its flags. */
const tokenSchema = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]).nullish();
const idsSchema = z.union([z.int().min(0), z.array(z.int().min(0)).max(1000)]).nullish();

const configSchema = z.looseObject({
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,7}$/), addedTokenSchema).default({}),
  bos_token: tokenSchema,
  eos_token: tokenSchema,
  add_prefix_space: z.boolean().nullish(),
  legacy: z.boolean().nullish(),
  /** One template, or several by name of which "default" is the one for conversations. */
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
});
/** generation_config.json, and config.json where it lacks what is asked. */
const endsSchema = z.looseObject({ eos_token_id: idsSchema });

/** The bytes of a file, or null where there is none. Throws model.unreadable, and model.tokenizer_invalid above `limit`. */
async function read(folder: string, name: string, limit: number): Promise<Buffer | null> {
  const path = join(folder, name);
  let file: FileHandle | null = null;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > limit) throw tokenizerInvalid(`${name} has ${size} bytes (${limit} are read)`);
    // No more than was there: a file that grows, or one without an end, is cut off.
    const bytes = Buffer.alloc(size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await file.read(bytes, done, size - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } catch (error) {
    if (error instanceof NamesakeError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new NamesakeError('model.unreadable', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await file?.close();
  }
}

async function readText(folder: string, name: string, limit: number): Promise<string | null> {
  const bytes = await read(folder, name, limit);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw tokenizerInvalid(`${name} is not UTF-8`);
  }
}

/** A JSON file by its schema; where there is none, what the schema makes of {}. */
async function readSettings<T>(folder: string, name: string, schema: z.ZodType<T>): Promise<T> {
  let json: unknown;
  try {
    json = JSON.parse((await readText(folder, name, MAX_SETTINGS)) ?? '{}');
  } catch (error) {
    if (error instanceof NamesakeError) throw error;
    throw tokenizerInvalid(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw tokenizerInvalid(`${name}: ${z.prettifyError(parsed.error).slice(0, 400)}`);
  return parsed.data;
}

async function readVocabulary(folder: string, config: z.infer<typeof configSchema>): Promise<TokenizerSource> {
  const json = await readText(folder, 'tokenizer.json', MAX_VOCABULARY);
  if (json !== null) return readTokenizerJson(json);
  const model = await read(folder, 'tokenizer.model', MAX_VOCABULARY);
  if (model === null) throw tokenizerInvalid('neither tokenizer.json nor tokenizer.model');
  const source = readSentencepieceModel(model);
  if (config.add_prefix_space === false) source.space_prefix = { where: 'never', doubled: true };
  // Newer settings of Llama's tokenizer put a space before the first text alone.
  else if (config.legacy === false && source.space_prefix?.where === 'each') source.space_prefix = { where: 'start', doubled: true };
  return source;
}

/** The template of its own file wins over the one in the settings. */
async function readTemplate(folder: string, { chat_template: kept }: z.infer<typeof configSchema>): Promise<string | null> {
  const file = await readText(folder, 'chat_template.jinja', MAX_SETTINGS);
  if (file !== null) return file;
  if (typeof kept === 'string') return kept;
  return kept?.find(({ name }) => name === 'default')?.template ?? null;
}

function listOf(ids: z.infer<typeof idsSchema>): number[] {
  return typeof ids === 'number' ? [ids] : (ids ?? []);
}

/**
 * Reads the tokenizer of a folder: tokenizer.json, or else tokenizer.model; tokenizer_config.json; the ends of an answer from
 * generation_config.json and config.json. No beginning of sequence is added: apply_chat_template leaves that to the template.
 * Throws model.tokenizer_invalid with what is wrong or missing, and model.unreadable.
 */
export async function readModelFolder(folder: string): Promise<TokenizerSource> {
  const config = await readSettings(folder, 'tokenizer_config.json', configSchema);
  const source = await readVocabulary(folder, config);
  layTokens(
    source,
    Object.entries(config.added_tokens_decoder).map(([id, token]): [number, AddedToken] => [Number(id), token]),
  );
  const generation = await readSettings(folder, 'generation_config.json', endsSchema);
  const model = await readSettings(folder, 'config.json', endsSchema);
  const idOf = (token: string | null | undefined): number | null => {
    const id = token ? source.tokens.indexOf(token) : -1;
    return id < 0 ? null : id;
  };
  const stop_ids = [...listOf(generation.eos_token_id), ...listOf(model.eos_token_id)];
  return {
    ...source,
    bos_id: idOf(config.bos_token) ?? source.bos_id,
    eos_id: idOf(config.eos_token) ?? source.eos_id ?? stop_ids[0] ?? null,
    stop_ids,
    add_bos: false,
    chat_template: await readTemplate(folder, config),
  };
}
