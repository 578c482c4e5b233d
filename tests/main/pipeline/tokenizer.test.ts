import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenizerSource } from '../../../main/pipeline/vocabulary.ts';
import { nastyText } from '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture, readLines } from '../../support/files.ts';
import { tinySource, tinyTokenizer } from '../../support/tiny-model.ts';

const tokenizer = tinyTokenizer();

describe('encodeText', () => {
  it('gives the ids of Python on 600 texts', () => {
    const lines = readLines<{ text: string; ids: number[] }>(fixture('golden/tokenizer/tiny.jsonl'));
    expect(lines).toHaveLength(600);
    for (const { text, ids } of lines) expect(tokenizer.encodeText(text), JSON.stringify(text)).toEqual(ids);
  });

  it('parts digits by Unicode and blanks as Oniguruma does', () => {
    const pieces = (text: string): string[] => tokenizer.encodeText(text).map((id) => tokenizer.piece(id));
    expect(pieces('12')).toEqual(['1', '2']);
    // U+0085 is a blank for Oniguruma and not for JavaScript: alone behind a space, it takes no space with it.
    expect(tokenizer.encodeText('a \u0085b')).toEqual([...'a', ' ', '\u0085', 'b'].flatMap((text) => tokenizer.encodeText(text)));
  });

  it('never gives a special, whatever stands in the text', () => {
    const specials = new Set(tokenizer.specials.map((special) => tokenizer.tokenId(special)));
    fc.assert(fc.property(nastyText, (text) => tokenizer.encodeText(text).every((id) => !specials.has(id))));
  });
});

describe('decode', () => {
  it('gives the text back', () => {
    fc.assert(
      fc.property(nastyText, (text) => {
        expect(tokenizer.decode(tokenizer.encodeText(text))).toBe(text);
      }),
    );
  });

  it('leaves control tokens out and names user-defined ones', () => {
    const id = tokenizer.tokenId('<|im_end|>') ?? -1;
    const around = [...tokenizer.encodeText('a'), id, ...tokenizer.encodeText('b')];
    expect(tokenizer.decode(around)).toBe('ab');
    const types = tinySource.token_types.map((type, i) => (i === id ? 4 : type));
    expect(tinyTokenizer({ token_types: types }).decode(around)).toBe('a<|im_end|>b');
  });

  it('an id past the vocabulary, which a larger embedding has, has no text', () => {
    expect(tokenizer.decode([tokenizer.size])).toBe('');
  });
});

describe('stream', () => {
  it('gives whole characters whose sum is what decode gives, for any ids', () => {
    const ids = fc.array(fc.nat(tokenizer.size - 1), { maxLength: 30 });
    const encoded = nastyText.map((text) => tokenizer.encodeText(text));
    fc.assert(
      fc.property(fc.oneof(encoded, ids), (list) => {
        const stream = tokenizer.stream();
        const pieces = list.map((id) => stream.push(id));
        pieces.push(stream.end());
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
        expect(pieces.join('')).toBe(tokenizer.decode(list));
      }),
    );
  });

  it('holds a character back until its last byte is there', () => {
    const ids = tokenizer.encodeText('锋');
    expect(ids.length).toBeGreaterThan(1);
    const stream = tokenizer.stream();
    expect(ids.map((id) => stream.push(id))).toEqual([...ids.slice(1).map(() => ''), '锋']);
    expect(stream.end()).toBe('');
  });

  it('ends an unfinished character as U+FFFD', () => {
    const stream = tokenizer.stream();
    const first = tokenizer.encodeText('锋')[0] ?? -1;
    expect(stream.push(first) + stream.end()).toBe('\uFFFD');
    expect(tokenizer.piece(first)).toBe('\uFFFD');
  });
});

describe('createTokenizer', () => {
  const newline = 'Ċ';
  const replaceToken = (from: string, to: string): Partial<TokenizerSource> => ({
    tokens: tinySource.tokens.map((token) => (token === from ? to : token)),
  });
  const firstMerge = tinySource.merges[0] ?? '';
  const merged = tinySource.tokens.indexOf(firstMerge.replace(' ', ''));
  const typed = (id: number, type: number): Partial<TokenizerSource> => ({
    token_types: tinySource.token_types.map((old, i) => (i === id ? type : old)),
  });

  it.each<[string, Partial<TokenizerSource>, RegExp]>([
    ['another kind', { model: 'bert' }, /“bert”/],
    ['an unknown pre-tokenizer', { pre: 'qwen9' }, /“qwen9”/],
    ['the name of an object’s own property', { pre: 'constructor' }, /“constructor”/],
    ['types that do not match', { token_types: [1] }, /1 token types for 323/],
    ['no tokens', { tokens: [], token_types: [], merges: [], bos_id: null, eos_id: null }, /byte/],
    ['an empty token', replaceToken('a', ''), /is empty/],
    ['a token twice', replaceToken('a', 'b'), /repeats/],
    ['a missing letter', { ...replaceToken('Q', 'missing'), merges: [] }, /no token for the byte 81/],
    ['a missing line feed', { ...replaceToken(newline, 'missing'), merges: [] }, /no token for the byte 10/],
    ['a byte that is a control token', typed(tinySource.tokens.indexOf('Q'), 3), /no token for the byte 81/],
    ['a merge of unknown tokens', { merges: ['a 不'] }, /does not join/],
    ['a merge of one token', { merges: ['ab'] }, /does not join/],
    ['a merge of three tokens', { merges: ['a b c'] }, /does not join/],
    ['a merge that writes a control token', typed(merged, 3), /writes a control token/],
    ['a bos outside', { bos_id: 323 }, /bos_token_id is 323/],
    ['a stop token outside', { stop_ids: [323] }, /a stop token is 323/],
    ['an eos that is negative', { eos_id: -1 }, /eos_token_id is -1/],
  ])('refuses %s', (_, change, detail) => {
    const error = thrownBy(() => tinyTokenizer(change));
    expect(error.code).toBe('model.tokenizer_invalid');
    expect(error.detail).toMatch(detail);
  });

  it('takes a vocabulary without rare bytes, whose characters vanish', () => {
    const rare = tinyTokenizer({ ...replaceToken('Ą', 'missing'), merges: [] });
    expect(rare.decode(rare.encodeText('a\x04b'))).toBe('ab');
  });

  it('takes tokens with the names of an object’s own properties', () => {
    const odd = tinyTokenizer({
      tokens: [...tinySource.tokens, '__proto__', 'constructor'],
      token_types: [...tinySource.token_types, 1, 1],
    });
    expect(odd.tokenId('__proto__')).toBe(tinySource.tokens.length);
    expect(odd.tokenId('toString')).toBeUndefined();
    expect(odd.decode(odd.encodeText('__proto__ constructor'))).toBe('__proto__ constructor');
  });
});
