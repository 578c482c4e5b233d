// Vocabulary: what every form of tokenizer is read into (GGUF keys, tokenizer.json, tokenizer.model), and what all of
// them must hold.
import { NamesakeError } from '../../shared/errors.ts';
import { MAX_RANK } from './bpe.ts';

/** A tokenizer as GGUF's `tokenizer.ggml.*` keys describe one; the other forms are converted to it. */
export interface TokenizerSource {
  /** "gpt2": byte-level BPE. "llama": SentencePiece BPE with byte fallback. */
  model: string;
  /** Name of the pre-tokenizer of a "gpt2" vocabulary. */
  pre: string;
  tokens: string[];
  /** "LEFT RIGHT", in order. */
  merges: string[];
  /** Of "llama": the greatest is joined first. Empty: joined by `merges`. */
  scores: number[];
  /** 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. */
  token_types: number[];
  bos_id: number | null;
  eos_id: number | null;
  /** Tokens that end an answer, as the makers' generation settings list them. */
  stop_ids: number[];
  /** null: what is usual for the kind. */
  add_bos: boolean | null;
  space_prefix: SpacePrefix | null;
  /** GGUF's `general.architecture`; its "internlm2" writes the token of U+0000 as an emoji. */
  architecture: string;
  chat_template: string | null;
}

/**
 * Where a "llama" vocabulary puts a space before text that has none to see: `each` part between specials, or the very
 * `start` alone. `doubled`: before a space too.
 */
export interface SpacePrefix {
  where: 'never' | 'start' | 'each';
  doubled: boolean;
}

export const UNKNOWN = 2;
export const CONTROL = 3;
export const USER_DEFINED = 4;
export const UNUSED = 5;
export const BYTE = 6;

/** Far above any model's; what a file may make this process hold. */
export const MAX_TOKENS = MAX_RANK;

export function tokenizerInvalid(detail: string): NamesakeError {
  return new NamesakeError('model.tokenizer_invalid', detail);
}

/** The tokens of a source, checked: every one has a text of its own and a type, every id that is named exists. */
export class Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly ids: ReadonlyMap<string, number>;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly stopIds: readonly number[];
  /** Tokens that no text becomes: control, user defined, unknown; longest first. */
  readonly specials: readonly string[];

  constructor(source: TokenizerSource) {
    const { tokens, token_types: types } = source;
    const size = tokens.length;
    if (size > MAX_TOKENS) throw tokenizerInvalid(`${size} tokens (${MAX_TOKENS} are read)`);
    if (types.length !== size) throw tokenizerInvalid(`${types.length} token types for ${size} tokens`);
    const ids = new Map<string, number>();
    tokens.forEach((token, id) => {
      if (token === '') throw tokenizerInvalid(`token ${id} is empty`);
      if (ids.has(token)) throw tokenizerInvalid(`token ${id} repeats token ${ids.get(token)}`);
      ids.set(token, id);
    });
    const checked = (id: number | null, what: string): number | null => {
      if (id !== null && (!Number.isInteger(id) || id < 0 || id >= size)) {
        throw tokenizerInvalid(`${what} is ${id}, outside of the ${size} tokens`);
      }
      return id;
    };
    this.tokens = tokens;
    this.types = types;
    this.ids = ids;
    this.bosId = checked(source.bos_id, 'bos_token_id');
    this.eosId = checked(source.eos_id, 'eos_token_id');
    this.stopIds = source.stop_ids.filter((id) => checked(id, 'a stop token') !== null);
    this.specials = tokens.filter((_, id) => this.isSpecial(id)).sort((a, b) => b.length - a.length);
  }

  isSpecial(id: number): boolean {
    const type = this.types[id];
    return type === CONTROL || type === USER_DEFINED || type === UNKNOWN;
  }

  /** Control and unknown tokens have no text. */
  isSilent(id: number): boolean {
    const type = this.types[id];
    return type === CONTROL || type === UNKNOWN;
  }

  /**
   * Merges by id. Throws where one does not join two tokens into a third, or makes a token that plain text must not
   * become: a message could end its own turn.
   */
  mergeIds(merges: readonly string[]): [number, number, number][] {
    if (merges.length > MAX_RANK) throw tokenizerInvalid(`${merges.length} merges (${MAX_RANK} are read)`);
    return merges.map((merge) => {
      const [left = '', right = '', ...rest] = merge.split(' ');
      const [a, b, result] = [left, right, left + right].map((token) => this.ids.get(token));
      if (rest.length > 0 || a === undefined || b === undefined || result === undefined) {
        throw tokenizerInvalid(`merge “${merge.slice(0, 60)}” does not join two tokens into a third`);
      }
      if (this.isSilent(result)) throw tokenizerInvalid(`merge “${merge.slice(0, 60)}” writes a control token`);
      return [a, b, result];
    });
  }
}
