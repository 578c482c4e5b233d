// Reads Hugging Face's tokenizer.json: BPE, byte-level or in SentencePiece's manner. What is not known to give the same ids
// as Python's `tokenizers` is refused.
import { z } from 'zod';
import { BYTE, CONTROL, MAX_TOKENS, tokenizerInvalid, UNUSED, USER_DEFINED, type SpacePrefix, type TokenizerSource } from './vocabulary.ts';

/** A token that stands beside the model's own. */
export const addedTokenSchema = z.looseObject({
  content: z.string().min(1),
  special: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof addedTokenSchema>;

/** Ids without a token that a vocabulary may have. */
const MAX_GAPS = 10_000;

const idSchema = z.int().min(0).lt(MAX_TOKENS);
/** A part of the description: its `type`, and whatever that type has. */
type Part = { type: string; [key: string]: unknown };
const partSchema: z.ZodType<Part | null> = z.looseObject({ type: z.string() }).nullable();

const fileSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ ...addedTokenSchema.shape, id: idSchema })).max(MAX_TOKENS),
  normalizer: partSchema.default(null),
  pre_tokenizer: partSchema.default(null),
  model: z.looseObject({
    type: z.string().default('BPE'),
    /** Hundreds of thousands: looked at one by one below. */
    vocab: z.unknown(),
    merges: z.unknown(),
    byte_fallback: z.boolean().default(false),
    ignore_merges: z.boolean().default(false),
    dropout: z.number().nullish(),
    unk_token: z.string().nullish(),
    continuing_subword_prefix: z.string().nullish(),
    end_of_word_suffix: z.string().nullish(),
  }),
});
type File = z.infer<typeof fileSchema>;

/** The steps of a normalizer or pre-tokenizer, sequences laid flat. Two levels are more than any file has. */
function steps(part: Part | null, list: string): Part[] {
  if (part === null) return [];
  if (part.type !== 'Sequence') return [part];
  const inner = z.array(partSchema).max(16).safeParse(part[list]);
  if (!inner.success) throw tokenizerInvalid(`a Sequence without ${list}`);
  return inner.data.flatMap((step) => (step === null ? [] : [step]));
}

const regexOf = (step: Part): unknown => (step['pattern'] as { Regex?: unknown } | null | undefined)?.Regex;
const stringOf = (step: Part): unknown => (step['pattern'] as { String?: unknown } | null | undefined)?.String;

/** What a file asks for, in short. */
function said(normalizer: Part | null, preTokenizer: Part | null): string {
  const all = [...steps(normalizer, 'normalizers'), ...steps(preTokenizer, 'pretokenizers')];
  return all.map((step) => [step.type, regexOf(step) ?? stringOf(step) ?? ''].map(String).join(' ').trim()).join(', ').slice(0, 400);
}

const llamaWords = (numbers: string): string =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** Which of the known pre-tokenizers a byte-level file describes, by GGUF's names. */
function byteLevelName({ normalizer, pre_tokenizer, model }: File): string {
  const normal = steps(normalizer, 'normalizers').map(({ type }) => type).join(' ');
  const parts = steps(pre_tokenizer, 'pretokenizers').map((step) => {
    if (step.type === 'Digits') return step['individual_digits'] === true ? 'digits' : '?';
    if (step.type === 'ByteLevel') return step['add_prefix_space'] === true ? '?' : step['use_regex'] === false ? 'bytes' : 'words';
    if (step.type !== 'Split' || step['behavior'] !== 'Isolated' || step['invert'] === true) return '?';
    const regex = regexOf(step);
    return regex === llamaWords('\\p{N}{1,3}') ? 'llama' : regex === llamaWords('\\p{N}') ? 'qwen' : '?';
  });
  const known = new Map([
    ['| words', 'gpt-2'],
    ['| digits words', 'smollm'],
    ['NFC| qwen bytes', 'qwen2'],
    ['| llama bytes', model.ignore_merges ? 'llama-bpe' : 'smaug-bpe'],
  ]);
  const name = known.get(`${normal}| ${parts.join(' ')}`);
  if (name === undefined || (model.ignore_merges && name !== 'llama-bpe')) {
    throw tokenizerInvalid(`tokenizer.json: unknown way of parting text: ${said(normalizer, pre_tokenizer)}`);
  }
  return name;
}

/** Where a file in SentencePiece's manner puts a space before text. */
function spacePrefix({ normalizer, pre_tokenizer }: File): SpacePrefix {
  const unknown = (): Error => tokenizerInvalid(`tokenizer.json: unknown treatment of spaces: ${said(normalizer, pre_tokenizer)}`);
  let prefix: SpacePrefix = { where: 'never', doubled: true };
  let replaced = false;
  for (const step of steps(normalizer, 'normalizers')) {
    if (step.type === 'Prepend' && step['prepend'] === '▁' && !replaced) prefix = { where: 'each', doubled: true };
    else if (step.type === 'Replace' && stringOf(step) === ' ' && step['content'] === '▁') replaced = true;
    else throw unknown();
  }
  for (const step of steps(pre_tokenizer, 'pretokenizers')) {
    const scheme = step['prepend_scheme'] ?? (step['add_prefix_space'] === false ? 'never' : 'always');
    const where = new Map<unknown, SpacePrefix['where']>([['always', 'each'], ['first', 'start'], ['never', 'never']]).get(scheme);
    if (step.type !== 'Metaspace' || step['replacement'] !== '▁' || step['split'] !== false || where === undefined) throw unknown();
    if (prefix.where === 'never') prefix = { where, doubled: false };
    replaced = true;
  }
  if (!replaced) throw unknown();
  return prefix;
}

/**
 * Lays added tokens over a vocabulary, in place: a token at an id that has one already takes its place, and ids between get
 * unused tokens. No merge leads to a control token or to a name that is gone: text is text.
 */
export function layTokens(source: TokenizerSource, added: readonly (readonly [number, AddedToken])[]): void {
  const { tokens, token_types: types } = source;
  const out = new Set<string>();
  for (const [id, { content, special, lstrip, rstrip, single_word }] of added) {
    if (lstrip || rstrip || single_word) throw tokenizerInvalid(`“${content.slice(0, 60)}” takes blanks or words beside it along`);
    if (!Number.isInteger(id) || id < 0 || id >= MAX_TOKENS) throw tokenizerInvalid(`token id ${id}`);
    const before = tokens[id];
    if (before !== undefined && before !== content) out.add(before);
    if (special) out.add(content);
    tokens[id] = content;
    types[id] = special ? CONTROL : USER_DEFINED;
  }
  let gaps = 0;
  for (let id = 0; id < tokens.length; id++) {
    if (tokens[id] !== undefined) continue;
    if (++gaps > MAX_GAPS) throw tokenizerInvalid(`more than ${MAX_GAPS} of ${tokens.length} ids without a token`);
    tokens[id] = `[PAD${id}]`;
    types[id] = UNUSED;
  }
  while (source.scores.length > 0 && source.scores.length < tokens.length) source.scores.push(0);
  source.merges = source.merges.filter((merge) => {
    const [left = '', right = ''] = merge.split(' ', 2);
    return !out.has(left + right) && !out.has(left) && !out.has(right);
  });
}

const byteName = /^<0x[0-9A-F]{2}>$/;

/** Reads the text of a tokenizer.json. Beginning, end and chat template stand in other files. */
export function readTokenizerJson(text: string): TokenizerSource {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw tokenizerInvalid(`tokenizer.json: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw tokenizerInvalid(`tokenizer.json: ${z.prettifyError(parsed.error).slice(0, 400)}`);
  const file = parsed.data;
  const { model } = file;
  if (model.type !== 'BPE') throw tokenizerInvalid(`tokenizer.json: model “${model.type}” (BPE is read)`);
  if (model.continuing_subword_prefix || model.end_of_word_suffix || model.dropout) {
    throw tokenizerInvalid('tokenizer.json: prefixes, suffixes or dropout of pieces');
  }

  const tokens: string[] = [];
  const types: number[] = [];
  if (typeof model.vocab !== 'object' || model.vocab === null || !Array.isArray(model.merges)) {
    throw tokenizerInvalid('tokenizer.json: no vocabulary or no merges');
  }
  for (const [token, id] of Object.entries<unknown>(model.vocab as Record<string, unknown>)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= MAX_TOKENS) throw tokenizerInvalid(`tokenizer.json: id ${String(id)}`);
    if (tokens[id] !== undefined) throw tokenizerInvalid(`tokenizer.json: two tokens ${id}`);
    tokens[id] = token;
    types[id] = model.byte_fallback && byteName.test(token) ? BYTE : 1;
  }
  const merges = model.merges.map((merge: unknown) => {
    if (typeof merge === 'string') return merge;
    if (Array.isArray(merge) && merge.every((part) => typeof part === 'string')) return merge.join(' ');
    throw tokenizerInvalid('tokenizer.json: a merge that is no text');
  });
  const source: TokenizerSource = {
    model: model.byte_fallback ? 'llama' : 'gpt2',
    pre: model.byte_fallback ? '' : byteLevelName(file),
    tokens,
    merges,
    scores: [],
    token_types: types,
    bos_id: null,
    eos_id: null,
    stop_ids: [],
    add_bos: null,
    space_prefix: model.byte_fallback ? spacePrefix(file) : null,
    architecture: '',
    chat_template: null,
  };
  layTokens(source, file.added_tokens.map((token) => [token.id, token]));
  return source;
}
