// SentencePiece BPE: the whole text is one word in which "▁" is a space; characters without a piece become their bytes.
import { mergeSymbols, MergeTable } from './bpe.ts';
import type { TextModel, TextPlace } from './tokenizer.ts';
import { BYTE, tokenizerInvalid, UNUSED, type SpacePrefix, type TokenizerSource, type Vocabulary } from './vocabulary.ts';

const SPACE = '▁';
/** What converters write for the token of U+0000 in InternLM2, since a text in C ends there. */
const WRITTEN_NUL = '🐉';

/** Ids of "<0x00>" to "<0xFF>". */
function byteTokens(vocabulary: Vocabulary): number[] {
  return Array.from({ length: 256 }, (_, byte) => {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    const id = vocabulary.ids.get(name);
    if (id === undefined || vocabulary.isSilent(id)) throw tokenizerInvalid(`no token for the byte ${byte}`);
    return id;
  });
}

/** Text without a space of its own before it gets one, by the place where it stands. */
function prefixed(text: string, place: TextPlace, { where, doubled }: SpacePrefix): string {
  const wanted = where === 'each' ? place !== 'inside' : where === 'start' && place === 'start';
  return wanted && (doubled || !text.startsWith(SPACE)) ? SPACE + text : text;
}

/** Pieces joined by name, as tokenizer.json lists them: characters without a token are bytes from the beginning. */
function byMerges(vocabulary: Vocabulary, merges: readonly string[], pieceOf: PieceOf, byteIds: number[]): (text: string) => number[] {
  const table = new MergeTable(vocabulary.mergeIds(merges), vocabulary.tokens.length);
  const utf8 = new TextEncoder();
  return (text) => {
    const ids: number[] = [];
    for (const character of text) {
      const id = pieceOf(character);
      if (id !== undefined) ids.push(id);
      else for (const byte of utf8.encode(character)) ids.push(byteIds[byte] ?? 0);
    }
    return table.merge(ids);
  };
}

type PieceOf = (text: string) => number | undefined;

/** Dense ranks of scores: 0 for the greatest, the same for equals. */
function ranksOf(scores: readonly number[]): number[] {
  if (scores.some((score) => Number.isNaN(score))) throw tokenizerInvalid('a score is not a number');
  const distinct = new Map([...new Set(scores)].sort((a, b) => b - a).map((score, rank) => [score, rank]));
  return scores.map((score) => distinct.get(score) ?? 0);
}

/**
 * Pieces joined by score: any two neighbours whose union is a piece, the greatest score first. An unused piece serves on
 * the way and is taken apart again in the end, as it was last put together.
 */
function byScores(vocabulary: Vocabulary, scores: readonly number[], pieceOf: PieceOf, byteIds: number[]): (text: string) => number[] {
  if (scores.length !== vocabulary.tokens.length) throw tokenizerInvalid(`${scores.length} scores for ${vocabulary.tokens.length} tokens`);
  const ranks = ranksOf(scores);
  const longest = vocabulary.tokens.reduce((most, token) => Math.max(most, token.length), 0);
  const utf8 = new TextEncoder();
  return (text) => {
    const starts: number[] = [];
    const ends: number[] = [];
    for (const character of text) {
      const start = ends.at(-1) ?? 0;
      starts.push(start);
      ends.push(start + character.length);
    }
    const halves = new Map<string, [string, string]>();
    const kept = mergeSymbols(starts.length, {
      rank: (left, right) => {
        const [start = 0, end = 0] = [starts[left], ends[right]];
        if (end - start > longest) return -1;
        const piece = text.slice(start, end);
        const id = pieceOf(piece);
        if (id === undefined) return -1;
        if (vocabulary.types[id] === UNUSED) halves.set(piece, [text.slice(start, starts[right]), text.slice(starts[right], end)]);
        return ranks[id] ?? -1;
      },
      join: (left, right) => {
        ends[left] = ends[right] ?? 0;
      },
    });
    const ids: number[] = [];
    const open: string[] = [];
    for (const place of kept) {
      open.push(text.slice(starts[place], ends[place]));
      for (let piece = open.pop(); piece !== undefined; piece = open.pop()) {
        const id = pieceOf(piece);
        const parts = id !== undefined && vocabulary.types[id] === UNUSED ? halves.get(piece) : undefined;
        if (parts !== undefined) open.push(parts[1], parts[0]);
        else if (id !== undefined) ids.push(id);
        else for (const byte of utf8.encode(piece)) ids.push(byteIds[byte] ?? 0);
      }
    }
    return ids;
  };
}

/** Throws model.tokenizer_invalid where bytes have no tokens, or for scores or merges that are none. */
export function createSentencePieces(vocabulary: Vocabulary, source: TokenizerSource, space: SpacePrefix): TextModel {
  const byteIds = byteTokens(vocabulary);
  const nul = source.architecture === 'internlm2' && !vocabulary.ids.has('\0') ? vocabulary.ids.get(WRITTEN_NUL) : undefined;
  /** Pieces that text may become: not specials, and no byte by its name. */
  const pieceOf: PieceOf = (text) => {
    if (nul !== undefined && text === '\0') return nul;
    const id = vocabulary.ids.get(text);
    return id === undefined || id === nul || vocabulary.isSpecial(id) || vocabulary.types[id] === BYTE ? undefined : id;
  };
  const join = source.scores.length > 0 ? byScores(vocabulary, source.scores, pieceOf, byteIds) : byMerges(vocabulary, source.merges, pieceOf, byteIds);

  const utf8 = new TextEncoder();
  const byteOf = new Map(byteIds.map((id, byte) => [id, byte]));
  return {
    encode: (text, place) => join(prefixed(text.replaceAll(' ', SPACE), place, space)),
    bytes: (id) => {
      const byte = byteOf.get(id);
      if (byte !== undefined) return Uint8Array.of(byte);
      if (id === nul) return Uint8Array.of(0);
      return utf8.encode((vocabulary.tokens[id] ?? '').replaceAll(SPACE, ' '));
    },
    startsWithSpace: space.where !== 'never',
  };
}
