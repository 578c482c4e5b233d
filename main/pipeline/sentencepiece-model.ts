// Reads SentencePiece's tokenizer.model (sentencepiece_model.proto, ModelProto), BPE alone. Of the message little is
// needed: pieces, the kind of model, and how spaces are treated; the wire format takes fewer lines than a library's set-up.
import { fieldsOf, type Field } from './protobuf.ts';
import { MAX_TOKENS, tokenizerInvalid, UNKNOWN, type TokenizerSource } from './vocabulary.ts';

const BPE = 2;

interface Piece {
  text: string;
  score: number;
  type: number;
}

function isTrue({ number }: Field): boolean {
  return number !== 0;
}

function readPiece(message: Uint8Array, utf8: TextDecoder): Piece {
  const piece: Piece = { text: '', score: 0, type: 1 };
  for (const { field, wire, number, bytes } of fieldsOf(message)) {
    if (field === 1 && wire === 'bytes') piece.text = utf8.decode(bytes);
    else if (field === 2 && wire === 'fixed32') piece.score = new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
    else if (field === 3 && wire === 'varint') piece.type = number;
  }
  if (piece.type < 1 || piece.type > 6) throw tokenizerInvalid(`tokenizer.model: a piece of type ${piece.type}`);
  return piece;
}

/** An id as the file writes it: a negative one, which means none, is a varint of ten bytes. */
function idOf({ number }: Field): number | null {
  return number <= MAX_TOKENS ? number : null;
}

/** The kind of model, and its ids of beginning and end. */
function readTrainer(message: Uint8Array): { kind: number; suffix: boolean; bos: number | null; eos: number | null } {
  const read = { kind: 1, suffix: false, bos: 1 as number | null, eos: 2 as number | null };
  for (const field of fieldsOf(message)) {
    if (field.wire !== 'varint') continue;
    if (field.field === 3) read.kind = field.number;
    else if (field.field === 24) read.suffix = isTrue(field);
    else if (field.field === 41) read.bos = idOf(field);
    else if (field.field === 42) read.eos = idOf(field);
  }
  return read;
}

/** How text is changed before it is parted. */
function readNormalizer(message: Uint8Array): { map: number; prefix: boolean; squeezes: boolean; escapes: boolean } {
  const read = { map: 0, prefix: true, squeezes: true, escapes: true };
  for (const field of fieldsOf(message)) {
    if (field.field === 2 && field.wire === 'bytes') read.map = field.bytes.length;
    if (field.wire !== 'varint') continue;
    if (field.field === 3) read.prefix = isTrue(field);
    else if (field.field === 4) read.squeezes = isTrue(field);
    else if (field.field === 5) read.escapes = isTrue(field);
  }
  return read;
}

/**
 * Reads the bytes of a tokenizer.model. Throws model.tokenizer_invalid where they are none, for another kind than BPE,
 * and for a normalizer that does more than write spaces as "▁".
 */
export function readSentencepieceModel(bytes: Uint8Array): TokenizerSource {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const pieces: Piece[] = [];
  let trainer = readTrainer(new Uint8Array());
  let normalizer = readNormalizer(new Uint8Array());
  try {
    for (const { field, wire, bytes: message } of fieldsOf(bytes)) {
      if (wire !== 'bytes') continue;
      if (field === 1) {
        if (pieces.length === MAX_TOKENS) throw tokenizerInvalid(`tokenizer.model: more than ${MAX_TOKENS} pieces`);
        pieces.push(readPiece(message, utf8));
      } else if (field === 2) trainer = readTrainer(message);
      else if (field === 3) normalizer = readNormalizer(message);
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) throw tokenizerInvalid(`tokenizer.model: ${error.message}`);
    throw error;
  }
  if (trainer.kind !== BPE) throw tokenizerInvalid(`tokenizer.model: kind ${trainer.kind} (BPE is read)`);
  if (normalizer.map > 0 || normalizer.squeezes || !normalizer.escapes || trainer.suffix) {
    throw tokenizerInvalid('tokenizer.model: a normalizer that changes text');
  }
  if (pieces.filter(({ type }) => type === UNKNOWN).length !== 1) throw tokenizerInvalid('tokenizer.model: not one unknown token');
  return {
    model: 'llama',
    pre: '',
    tokens: pieces.map(({ text }) => text),
    merges: [],
    scores: pieces.map(({ score }) => score),
    token_types: pieces.map(({ type }) => type),
    bos_id: trainer.bos,
    eos_id: trainer.eos,
    stop_ids: [],
    add_bos: null,
    space_prefix: { where: normalizer.prefix ? 'each' : 'never', doubled: true },
    architecture: '',
    chat_template: null,
  };
}
