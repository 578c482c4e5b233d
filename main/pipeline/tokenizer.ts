// Tokenizer: a model's own vocabulary as text ↔ ids. The kinds of vocabulary are byte-level.ts and sentence-pieces.ts;
// this file picks one and decodes ids to bytes for streaming.
import { createByteLevel } from './byte-level.ts';
import { preTokenizers } from './pre-tokenizers.ts';
import { createSentencePieces } from './sentence-pieces.ts';
import { tokenizerInvalid, Vocabulary, type TokenizerSource } from './vocabulary.ts';

/** Turns a stream of ids into whole characters: a piece never ends inside one. */
export interface TextStream {
  push(id: number): string;
  /** What is left; an unfinished character becomes U+FFFD. */
  end(): string;
}

/** Where a text stands: at the very start, behind a special, or behind other text. */
export type TextPlace = 'start' | 'section' | 'inside';

export interface Tokenizer {
  /** Ids of plain text: specials inside it are ordinary characters. Bytes that the vocabulary lacks are left out. */
  encodeText(text: string, place?: TextPlace): number[];
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
  /** Tokens that end an answer whatever the chat template writes. */
  readonly stopIds: readonly number[];
  readonly addBos: boolean;
}

/** One kind of vocabulary at work. */
export interface TextModel {
  encode(text: string, place: TextPlace): number[];
  /** What a token that is no control token stands for. */
  bytes(id: number): Uint8Array;
  /** Whether text may begin with a space that nobody wrote. */
  startsWithSpace: boolean;
}

/** Names by which the families' files end a turn or a text; where one is a control token, no answer goes on behind it. */
const ENDS = ['<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<|end_of_text|>', '<|endoftext|>', '</s>'];

function createModel(source: TokenizerSource, vocabulary: Vocabulary): { model: TextModel; addBos: boolean } {
  switch (source.model) {
    case 'gpt2': {
      const preTokenizer = preTokenizers.get(source.pre);
      if (preTokenizer === undefined) throw tokenizerInvalid(`pre-tokenizer “${source.pre}”`);
      return { model: createByteLevel(vocabulary, source.merges, preTokenizer), addBos: preTokenizer.addBos };
    }
    case 'llama': {
      const space = source.space_prefix ?? { where: 'each', doubled: true };
      return { model: createSentencePieces(vocabulary, source, space), addBos: true };
    }
    default:
      throw tokenizerInvalid(`tokenizer kind “${source.model}” (BPE is read: “gpt2”, “llama”)`);
  }
}

/**
 * Builds a tokenizer. Throws model.tokenizer_invalid for another kind than BPE, an unknown pre-tokenizer, duplicate or
 * missing tokens, merges that do not join tokens or make a control token, scores that do not fit, or ids out of range.
 */
export function createTokenizer(source: TokenizerSource): Tokenizer {
  const vocabulary = new Vocabulary(source);
  const { model, addBos } = createModel(source, vocabulary);
  const size = vocabulary.tokens.length;

  const silent = new Uint8Array();
  // An embedding may have more rows than there are tokens (Qwen's has hundreds): such an id has no text, as in Python.
  const bytesOf = (id: number): Uint8Array => (vocabulary.tokens[id] === undefined || vocabulary.isSilent(id) ? silent : model.bytes(id));
  const stream = (): TextStream => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let atStart = model.startsWithSpace;
    const text = (piece: string): string => {
      if (!atStart || piece === '') return piece;
      atStart = false;
      return piece.startsWith(' ') ? piece.slice(1) : piece;
    };
    return {
      push: (id) => text(decoder.decode(bytesOf(id), { stream: true })),
      end: () => text(decoder.decode()),
    };
  };
  const ends = ENDS.flatMap((name) => {
    const id = vocabulary.ids.get(name);
    return id !== undefined && vocabulary.isSilent(id) ? [id] : [];
  });

  return {
    encodeText: (text, place = 'start') => (text === '' ? [] : model.encode(text, place)),
    tokenId: (token) => vocabulary.ids.get(token),
    decode: (ids) => {
      const text = stream();
      return ids.map((id) => text.push(id)).join('') + text.end();
    },
    stream,
    piece: (id) => (vocabulary.isSpecial(id) ? (vocabulary.tokens[id] ?? '') : new TextDecoder().decode(bytesOf(id))),
    specials: vocabulary.specials,
    size,
    bosId: vocabulary.bosId,
    eosId: vocabulary.eosId,
    stopIds: [...new Set([...(vocabulary.eosId === null ? [] : [vocabulary.eosId]), ...vocabulary.stopIds, ...ends])],
    addBos: source.add_bos ?? addBos,
  };
}
