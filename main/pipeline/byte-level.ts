// Byte-level BPE (GPT-2's kind): words of UTF-8 bytes, every byte written as one printable character.
import { MergeTable } from './bpe.ts';
import { splitWords, type PreTokenizer } from './pre-tokenizers.ts';
import type { TextModel } from './tokenizer.ts';
import { tokenizerInvalid, USER_DEFINED, type Vocabulary } from './vocabulary.ts';

/** Words remembered with their tokens, and how long such a word may be. */
const CACHE_WORDS = 20_000;
const CACHE_LENGTH = 100;

/** GPT-2's map from bytes to the characters that stand for them: printable Latin-1 as it is, the others from U+0100 on. */
const characters = ((): string[] => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();
const byteOf = new Map(characters.map((character, byte) => [character, byte]));

/** Line feed, and what ASCII prints. */
function isText(byte: number): boolean {
  return byte === 0x0a || (byte >= 0x20 && byte <= 0x7e);
}

/** Throws model.tokenizer_invalid where the bytes of plain text have no tokens, or for merges that are none. */
export function createByteLevel(vocabulary: Vocabulary, merges: readonly string[], preTokenizer: PreTokenizer): TextModel {
  const table = new MergeTable(vocabulary.mergeIds(merges), vocabulary.tokens.length);
  const byteIds = characters.map((character, byte) => {
    const id = vocabulary.ids.get(character);
    // Rare bytes may be missing: SmolLM2 has no token for 21 of them. Their characters vanish, as they do in Python.
    if (id === undefined && !isText(byte)) return undefined;
    if (id === undefined || vocabulary.isSilent(id)) throw tokenizerInvalid(`no token for the byte ${byte}`);
    return id;
  });

  const utf8 = new TextEncoder();
  const whole = (bytes: Uint8Array): number | undefined => {
    const id = vocabulary.ids.get(Array.from(bytes, (byte) => characters[byte]).join(''));
    return id === undefined || vocabulary.isSpecial(id) ? undefined : id;
  };
  const encodeWord = (word: string): number[] => {
    const bytes = utf8.encode(word);
    const found = preTokenizer.wholeWords ? whole(bytes) : undefined;
    if (found !== undefined) return [found];
    const ids: number[] = [];
    for (const byte of bytes) {
      const id = byteIds[byte];
      if (id !== undefined) ids.push(id);
    }
    return table.merge(ids);
  };
  const cache = new Map<string, number[]>();
  const remembered = (word: string): number[] => {
    if (word.length > CACHE_LENGTH) return encodeWord(word);
    const known = cache.get(word);
    if (known !== undefined) return known;
    const ids = encodeWord(word);
    if (cache.size >= CACHE_WORDS) cache.clear();
    cache.set(word, ids);
    return ids;
  };

  return {
    encode: (text) => splitWords(text, preTokenizer).flatMap(remembered),
    bytes: (id) => {
      const token = vocabulary.tokens[id] ?? '';
      if (vocabulary.types[id] === USER_DEFINED) return utf8.encode(token);
      return Uint8Array.from([...token].flatMap((character) => byteOf.get(character) ?? [...utf8.encode(character)]));
    },
    startsWithSpace: false,
  };
}
