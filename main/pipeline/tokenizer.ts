// Tokenizer: the model file's own vocabulary, merges and pre-tokenizer as text ↔ ids. The byte-pair encoding itself is
// @huggingface/tokenizers; this file builds its description from GGUF metadata and decodes ids to bytes for streaming.
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { NamesakeError } from '../../shared/errors.ts';

/** The tokenizer keys of a GGUF file (`tokenizer.ggml.*`). */
export interface TokenizerSource {
  /** "gpt2" is byte-level BPE, the only kind that is read. */
  model: string;
  /** Name of the pre-tokenizer; GGUF stores nothing else of it. */
  pre: string;
  tokens: string[];
  merges: string[];
  /** 1 normal, 3 control, 4 user defined, 5 unused, 6 byte. */
  token_types: number[];
  bos_id: number | null;
  eos_id: number | null;
  add_bos: boolean;
  chat_template: string | null;
}

/** Turns a stream of ids into whole characters: a piece never ends inside one. */
export interface TextStream {
  push(id: number): string;
  /** What is left; an unfinished character becomes U+FFFD. */
  end(): string;
}

export interface Tokenizer {
  /** Ids of plain text: specials inside it are ordinary characters. Bytes that the vocabulary lacks are left out. */
  encodeText(text: string): number[];
  /** Id of a whole token of the vocabulary, or undefined. */
  tokenId(token: string): number | undefined;
  /** Text of ids; control tokens are left out, user-defined ones are their own name. */
  decode(ids: readonly number[]): string;
  stream(): TextStream;
  /** The text of one id for people: U+FFFD for part of a character, the token's own name for control tokens. */
  piece(id: number): string;
  /** Control and user-defined tokens, longest first. */
  readonly specials: readonly string[];
  readonly size: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly addBos: boolean;
}

const CONTROL = 3;
const USER_DEFINED = 4;

/** A step that parts text at a pattern; what matches and what lies between are pieces alike. Oniguruma's \s, not JavaScript's. */
function splitAt(pattern: string): object {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

/** GPT-2's words. Python's ByteLevel brings the same pattern; the JavaScript one's own differs in U+0085 and U+FEFF. */
const words = [
  splitAt("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),
  { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
];

/**
 * Pre-tokenizers by GGUF name. A wrong one tokenises numbers differently without an error, so an unknown name is refused.
 * `smollm`: single digits, then GPT-2's words. The digits are Unicode numerics as in Python's `Digits`, which the
 * JavaScript library's own `Digits` is not.
 */
const preTokenizers = new Map<string, object>([
  ['smollm', { type: 'Sequence', pretokenizers: [splitAt('\\p{N}'), ...words] }],
  ['gpt-2', { type: 'Sequence', pretokenizers: words }],
]);

function invalid(detail: string): NamesakeError {
  return new NamesakeError('model.tokenizer_invalid', detail);
}

/** GPT-2's map from the printable characters of a token to the bytes that they stand for. */
function byteOfCharacter(): Map<string, number> {
  const printable = [...range(0x21, 0x7e), ...range(0xa1, 0xac), ...range(0xae, 0xff)];
  const map = new Map(printable.map((byte) => [String.fromCodePoint(byte), byte]));
  let next = 256;
  for (const byte of range(0, 255)) {
    if (!printable.includes(byte)) map.set(String.fromCodePoint(next++), byte);
  }
  return map;
}

/** Line feed, and what ASCII prints. */
function isText(byte: number): boolean {
  return byte === 0x0a || (byte >= 0x20 && byte <= 0x7e);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Ids that the file names must exist. */
function checkedId(id: number | null, what: string, size: number): number | null {
  if (id !== null && (!Number.isInteger(id) || id < 0 || id >= size)) {
    throw invalid(`${what} is ${id}, outside of the ${size} tokens`);
  }
  return id;
}

/**
 * Builds the tokenizer of a model file. Throws model.tokenizer_invalid for another kind than byte-level BPE, an unknown
 * pre-tokenizer, duplicate or missing tokens, merges that do not join tokens or make a control token, or ids out of range.
 */
export function createTokenizer(source: TokenizerSource): Tokenizer {
  if (source.model !== 'gpt2') throw invalid(`tokenizer kind “${source.model}” (byte-level BPE “gpt2” is read)`);
  const preTokenizer = preTokenizers.get(source.pre);
  if (preTokenizer === undefined) throw invalid(`pre-tokenizer “${source.pre}”`);
  const size = source.tokens.length;
  if (source.token_types.length !== size) throw invalid(`${source.token_types.length} token types for ${size} tokens`);

  const ids = new Map<string, number>();
  source.tokens.forEach((token, id) => {
    if (token === '') throw invalid(`token ${id} is empty`);
    if (ids.has(token)) throw invalid(`token ${id} repeats token ${ids.get(token)}`);
    ids.set(token, id);
  });
  // A control token that plain text could become would let a message end its own turn.
  const isControl = (id: number | undefined): boolean => id !== undefined && source.token_types[id] === CONTROL;
  for (const merge of source.merges) {
    const [left, right, ...rest] = merge.split(' ');
    if (!left || !right || rest.length > 0 || !ids.has(left) || !ids.has(right) || !ids.has(left + right)) {
      throw invalid(`merge “${merge.slice(0, 60)}” does not join two tokens into a third`);
    }
    if (isControl(ids.get(left + right))) throw invalid(`merge “${merge.slice(0, 60)}” writes a control token`);
  }
  const bytes = byteOfCharacter();
  for (const [character, byte] of bytes) {
    const id = ids.get(character);
    // Rare bytes may be missing: SmolLM2 has no token for 21 of them. Their characters vanish, as they do in Python.
    if (isControl(id) || (id === undefined && isText(byte))) throw invalid(`no token for the byte ${byte}`);
  }
  const bosId = checkedId(source.bos_id, 'bos_token_id', size);
  const eosId = checkedId(source.eos_id, 'eos_token_id', size);

  const special = source.token_types.map((type) => type === CONTROL || type === USER_DEFINED);
  const specials = source.tokens.filter((_, id) => special[id]).sort((a, b) => b.length - a.length);

  // `added_tokens` stays empty: whatever stands in a text is text. Specials are found by the chat template alone.
  const encoder = new HfTokenizer(
    {
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: preTokenizer,
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(ids),
        merges: source.merges.map((merge) => merge.split(' ')),
      },
    },
    {},
  );

  const utf8 = new TextEncoder();
  const tokenBytes = source.tokens.map((token, id) => {
    if (isControl(id)) return new Uint8Array();
    if (special[id]) return utf8.encode(token);
    return Uint8Array.from([...token].flatMap((character) => bytes.get(character) ?? [...utf8.encode(character)]));
  });
  const bytesOf = (id: number): Uint8Array => {
    const found = tokenBytes[id];
    if (found === undefined) throw new NamesakeError('rows.invalid', `token id ${id} of ${size}`, { row: '?' });
    return found;
  };

  const stream = (): TextStream => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => decoder.decode(bytesOf(id), { stream: true }),
      end: () => decoder.decode(),
    };
  };

  return {
    encodeText: (text) => (text === '' ? [] : encoder.encode(text, { add_special_tokens: false }).ids),
    tokenId: (token) => ids.get(token),
    decode: (list) => {
      const text = stream();
      return list.map((id) => text.push(id)).join('') + text.end();
    },
    stream,
    piece: (id) => (special[id] ? (source.tokens[id] ?? '') : new TextDecoder().decode(bytesOf(id))),
    specials,
    size,
    bosId,
    eosId,
    addBos: source.add_bos,
  };
}
