// Writes SentencePiece's tokenizer.model for tests, independently of the program's reader.
import type { TokenizerSource } from '../../main/pipeline/vocabulary.ts';

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

/** A field of wire type 0, 2 or 5. */
export function field(number: number, value: number | Uint8Array | { float: number }): Buffer {
  if (typeof value === 'number') return Buffer.from([...varint(number * 8), ...varint(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(value.length)]), value]);
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value.float);
  return Buffer.concat([Buffer.from(varint(number * 8 + 5)), bytes]);
}

export function piece(text: string, score: number, type: number): Buffer {
  return field(1, Buffer.concat([field(1, Buffer.from(text)), field(2, { float: score }), field(3, type)]));
}

/** Trainer and normalizer settings as Llama's file has them, with changes: [field of the message, field, value]. */
export function settings(prefix: boolean, ...changes: [2 | 3, number, number | Uint8Array][]): Buffer {
  const of = (message: 2 | 3, usual: Buffer[]): Buffer =>
    field(message, Buffer.concat([...usual, ...changes.filter(([where]) => where === message).map(([, number, value]) => field(number, value))]));
  return Buffer.concat([
    of(2, [field(3, 2), field(35, 1), field(40, 0), field(41, 1), field(42, 2)]),
    of(3, [field(1, Buffer.from('identity')), field(3, prefix ? 1 : 0), field(4, 0), field(5, 1)]),
  ]);
}

/** The file of a "llama" vocabulary with scores. */
export function writeSentencepieceModel({ tokens, scores, token_types, space_prefix }: TokenizerSource): Buffer {
  const pieces = tokens.map((token, id) => piece(token, scores[id] ?? 0, token_types[id] ?? 1));
  return Buffer.concat([...pieces, settings(space_prefix?.where !== 'never')]);
}
