import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fieldsOf } from '../../../main/pipeline/protobuf.ts';
import { readSentencepieceModel } from '../../../main/pipeline/sentencepiece-model.ts';
import { createTokenizer } from '../../../main/pipeline/tokenizer.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { nastyText } from '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture, readLines } from '../../support/files.ts';
import { field, piece, settings, writeSentencepieceModel } from '../../support/sentencepiece.ts';

const bytes = readFileSync(fixture('tiny-spm', 'tokenizer.model'));
const source = readSentencepieceModel(bytes);
const tokenizer = createTokenizer(source);

/** 256 byte pieces behind the three that every file begins with. */
const beginning = [
  ...[['<unk>', 2], ['<s>', 3], ['</s>', 3]].map(([text, type]) => piece(String(text), 0, Number(type))),
  ...Array.from({ length: 256 }, (_, byte) => piece(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 6)),
];

/** A small file with pieces of its own; `prefix` as in Llama's. */
function made(pieces: [text: string, score: number, type?: number][], prefix = false): ReturnType<typeof createTokenizer> {
  const own = pieces.map(([text, score, type]) => piece(text, score, type ?? 1));
  return createTokenizer(readSentencepieceModel(Buffer.concat([...beginning, ...own, settings(prefix)])));
}

describe('readSentencepieceModel', () => {
  it('gives the ids of SentencePiece itself on 2,000 texts, unused pieces among them', () => {
    const lines = readLines<{ text: string; ids: number[] }>(fixture('golden', 'tokenizer', 'tiny_spm.jsonl.gz'));
    expect(lines).toHaveLength(2000);
    expect(source.token_types.filter((type) => type === 5).length).toBeGreaterThan(20);
    for (const { text, ids } of lines) expect(tokenizer.encodeText(text), JSON.stringify(text)).toEqual(ids);
  });

  it('reads what it is told', () => {
    expect(source).toMatchObject({ model: 'llama', bos_id: 1, eos_id: 2, space_prefix: { where: 'each', doubled: true } });
    expect(source.tokens.slice(0, 5)).toEqual(['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']);
    expect(source.token_types.slice(0, 6)).toEqual([2, 3, 3, 3, 3, 6]);
    expect(readSentencepieceModel(writeSentencepieceModel(source))).toEqual(source);
    // -1 is a number of ten bytes.
    const none = field(2, Buffer.from([24, 2, 200, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]));
    expect(readSentencepieceModel(Buffer.concat([...beginning, settings(false), none])).bos_id).toBeNull();
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.alloc(0), /kind 1/],
    ['text', Buffer.from('{"model": 1}'), /tokenizer\.model/],
    ['a file that is cut off', bytes.subarray(0, 1000), /bytes at|ends inside/],
    ['another kind', Buffer.concat([...beginning, settings(false, [2, 3, 1])]), /kind 1/],
    ['a normalizer with a table', Buffer.concat([...beginning, settings(false, [3, 2, Buffer.from('x')])]), /changes text/],
    ['a normalizer that drops spaces', Buffer.concat([...beginning, settings(false, [3, 4, 1])]), /changes text/],
    ['spaces that are not written', Buffer.concat([...beginning, settings(false, [3, 5, 0])]), /changes text/],
    ['spaces behind words', Buffer.concat([...beginning, settings(false, [2, 24, 1])]), /changes text/],
    ['two unknown tokens', Buffer.concat([...beginning, piece('x', 0, 2), settings(false)]), /one unknown/],
    ['a piece of no type', Buffer.concat([...beginning, piece('x', 0, 9), settings(false)]), /type 9/],
    ['a piece that is not UTF-8', Buffer.concat([...beginning, field(1, field(1, Buffer.from([0xff])))]), /tokenizer\.model/],
    ['a length beyond the file', Buffer.concat([...beginning, Buffer.from([10, 255, 255, 255, 255, 15])]), /bytes at/],
    ['a length beyond all numbers', Buffer.concat([...beginning, Buffer.from([10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])]), /bytes at/],
    ['a number that never ends', Buffer.alloc(100, 255), /ten bytes/],
  ])('refuses %s', (_, file, detail) => {
    const error = thrownBy(() => readSentencepieceModel(file));
    expect(error.code).toBe('model.tokenizer_invalid');
    expect(error.detail).toMatch(detail);
  });

  it('reads or refuses whatever a file holds, by a code', () => {
    const flips = fc.array(fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255) }), { maxLength: 8 });
    const changed = fc.record({ flips, from: fc.nat(200), to: fc.nat(bytes.length) }).map(({ flips, from, to }) => {
      const copy = Buffer.from(bytes);
      for (const { at, byte } of flips) copy[at] = byte;
      return copy.subarray(from % 3 === 0 ? 0 : from, to % 3 === 0 ? bytes.length : to);
    });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (file) => {
        try {
          createTokenizer(readSentencepieceModel(file)).encodeText('hello world');
        } catch (error) {
          expect(error).toBeInstanceOf(NamesakeError);
          expect((error as NamesakeError).code).toBe('model.tokenizer_invalid');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('fieldsOf', () => {
  it('gives what was written', () => {
    const message = Buffer.concat([field(1, 300), field(2, Buffer.from('ab')), field(3, { float: 1.5 }), Buffer.from([33, 1, 2, 3, 4, 5, 6, 7, 8])]);
    expect([...fieldsOf(message)].map(({ field, wire, number, bytes }) => [field, wire, number, bytes.length])).toEqual([
      [1, 'varint', 300, 0],
      [2, 'bytes', 0, 2],
      [3, 'fixed32', 0, 4],
      [4, 'fixed64', 0, 8],
    ]);
  });

  it('ends on any bytes, with fields inside the message or a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
        try {
          for (const { bytes } of fieldsOf(message)) expect(bytes.length).toBeLessThanOrEqual(message.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('SentencePiece BPE', () => {
  const pieces = (by: ReturnType<typeof createTokenizer>, text: string): string[] => by.encodeText(text).map((id) => by.piece(id));

  it('joins the greatest score first, the leftmost of equals', () => {
    expect(pieces(made([['a', -9], ['b', -9], ['c', -9], ['ab', -2], ['bc', -1]]), 'abc')).toEqual(['a', 'bc']);
    expect(pieces(made([['a', -9], ['aa', -1], ['aaa', -1]]), 'aaaa')).toEqual(['aaa', 'a']);
  });

  it('takes an unused piece apart as it was put together', () => {
    const unused = made([['a', -9], ['b', -9], ['c', -9], ['ab', -1], ['abc', -2, 5], ['abcc', -3, 5]]);
    expect(pieces(unused, 'abcc')).toEqual(['ab', 'c', 'c']);
    expect(pieces(made([['a', -9, 5]]), 'a')).toEqual(['a']);
  });

  it('never makes a special or a byte by its name', () => {
    const by = made([['<', -9], ['s', -9], ['>', -9], ['s>', -1], ['0', -9], ['<0', -1]]);
    expect(pieces(by, '<s><0x0A>')).not.toContain('<s>');
    expect(by.decode(by.encodeText('<s><0x0A>'))).toBe('<s><0x0A>');
  });

  it('writes characters without a piece as bytes', () => {
    const by = made([['a', -9]]);
    expect(by.encodeText('a锋\0').slice(1)).toEqual([...Buffer.from('锋'), 0].map((byte) => byte + 3));
    expect(by.decode(by.encodeText('a锋\0'))).toBe('a锋\0');
  });

  it('puts a space before a text and before what stands behind a special, nowhere else', () => {
    const by = made([['▁', -9], ['a', -9], ['▁a', -1]], true);
    const a = by.tokenId('a');
    const spaced = by.tokenId('▁a');
    expect([by.encodeText('a'), by.encodeText('a', 'section'), by.encodeText('a', 'inside')]).toEqual([[spaced], [spaced], [a]]);
    expect(by.decode([spaced ?? -1, spaced ?? -1])).toBe('a a');
    const first = createTokenizer({ ...readSentencepieceModel(Buffer.concat([...beginning, piece('a', -9, 1), piece('▁a', -1, 1), settings(true)])), space_prefix: { where: 'start', doubled: false } });
    expect([first.encodeText('a'), first.encodeText(' a'), first.encodeText('a', 'section')].map((ids) => ids.length)).toEqual([1, 1, 1]);
    expect(first.encodeText('a', 'section')).toEqual([first.tokenId('a')]);
  });

  it('gives the text back', () => {
    fc.assert(
      fc.property(nastyText, (text) => {
        expect(tokenizer.decode(tokenizer.encodeText(text))).toBe(text.replaceAll('▁', ' '));
      }),
    );
  });

  it('takes the emoji of InternLM2’s GGUF files for U+0000', () => {
    const internlm = createTokenizer({ ...source, tokens: source.tokens.map((token, id) => (id === 999 ? '🐉' : token)), architecture: 'internlm2' });
    expect(internlm.encodeText('\0', 'inside')).toEqual([999]);
    expect(internlm.decode([999])).toBe('\0');
    expect(internlm.encodeText('🐉', 'inside')).toEqual([...Buffer.from('🐉')].map((byte) => byte + 5));
  });

  it.each<[string, object, RegExp]>([
    ['scores that do not fit', { scores: [1] }, /1 scores for 1000/],
    ['a score that is no number', { scores: source.scores.map(() => NaN) }, /not a number/],
    ['a missing byte', { tokens: source.tokens.map((token) => (token === '<0x80>' ? 'missing' : token)) }, /no token for the byte 128/],
  ])('refuses %s', (_, change, detail) => {
    const error = thrownBy(() => createTokenizer({ ...source, ...change }));
    expect(error.code).toBe('model.tokenizer_invalid');
    expect(error.detail).toMatch(detail);
  });
});
