import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSentencepieceModel } from '../../../main/pipeline/sentencepiece-model.ts';
import { layTokens, readTokenizerJson } from '../../../main/pipeline/tokenizer-json.ts';
import { createTokenizer } from '../../../main/pipeline/tokenizer.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { nastyText } from '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture } from '../../support/files.ts';
import { tinySource, tinyTokenizer } from '../../support/tiny-model.ts';

const flags = { lstrip: false, rstrip: false, single_word: false, normalized: false };
const specials = tinySource.tokens.flatMap((content, id) => (tinySource.token_types[id] === 3 ? [{ id, content, special: true, ...flags }] : []));
const words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** The tiny models' tokenizer as `tokenizers` writes it. */
const tiny = {
  version: '1.0',
  added_tokens: specials,
  normalizer: null as unknown,
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, words] } as unknown,
  model: {
    type: 'BPE',
    dropout: null as unknown,
    vocab: Object.fromEntries(tinySource.tokens.map((token, id) => [token, id])) as unknown,
    merges: tinySource.merges as unknown,
    byte_fallback: false,
    ignore_merges: false,
  },
};
const read = (change: Partial<typeof tiny> = {}, model: Partial<(typeof tiny)['model']> = {}) =>
  readTokenizerJson(JSON.stringify({ ...tiny, ...change, model: { ...tiny.model, ...model } }));

const llama = (numbers: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const split = (Regex: string, behavior = 'Isolated'): object => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern: { Regex }, behavior, invert: false }, { ...words, use_regex: false }],
});

describe('byte-level', () => {
  it('gives the ids of the same vocabulary out of GGUF keys', () => {
    const both = [createTokenizer(read()), createTokenizer(read({}, { merges: tinySource.merges.map((merge) => merge.split(' ')) }))];
    const tokenizer = tinyTokenizer();
    fc.assert(
      fc.property(nastyText, (text) => {
        for (const by of both) expect(by.encodeText(text)).toEqual(tokenizer.encodeText(text));
      }),
    );
    expect(both[0]?.specials).toEqual(tokenizer.specials);
  });

  it.each<[string, Partial<typeof tiny>, boolean, string]>([
    ['GPT-2', { pre_tokenizer: words }, false, 'gpt-2'],
    ['SmolLM', {}, false, 'smollm'],
    ['Qwen', { normalizer: { type: 'NFC' }, pre_tokenizer: split(llama('\\p{N}')) }, false, 'qwen2'],
    ['Llama 3', { pre_tokenizer: split(llama('\\p{N}{1,3}')) }, true, 'llama-bpe'],
    ['Llama 3 without whole words', { pre_tokenizer: split(llama('\\p{N}{1,3}')) }, false, 'smaug-bpe'],
  ])('knows %s', (_, change, ignore_merges, pre) => {
    expect(read(change, { ignore_merges })).toMatchObject({ model: 'gpt2', pre });
  });

  it('takes whole words before merges where it is told', () => {
    const change = { pre_tokenizer: split(llama('\\p{N}{1,3}')) };
    const word = tinySource.tokens.findIndex((token, id) => /^[a-z]{3,}$/.test(token) && tinySource.token_types[id] === 1);
    const text = tinySource.tokens[word] ?? '';
    expect(createTokenizer(read(change, { ignore_merges: true, merges: [] })).encodeText(text)).toEqual([word]);
    expect(createTokenizer(read(change, { merges: [] })).encodeText(text)).toHaveLength(text.length);
  });
});

describe('in the manner of SentencePiece', () => {
  const spm = readSentencepieceModel(readFileSync(fixture('tiny-spm', 'tokenizer.model')));
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false };
  const bytes = { byte_fallback: true, merges: ['▁ a', 'a b'], vocab: Object.fromEntries([...spm.tokens.slice(0, 261), '▁', 'a', 'b', '▁a', 'ab'].map((token, id) => [token, id])) };

  it.each<[string, Partial<typeof tiny>, object]>([
    ['Llama 2', { normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] }, pre_tokenizer: null }, { where: 'each', doubled: true }],
    ['InternLM2', { normalizer: { type: 'Sequence', normalizers: [replace] }, pre_tokenizer: null }, { where: 'never', doubled: true }],
    ['newer files', { normalizer: null, pre_tokenizer: metaspace }, { where: 'start', doubled: false }],
  ])('knows the spaces of %s', (_, change, space_prefix) => {
    expect(read({ added_tokens: [], ...change }, bytes)).toMatchObject({ model: 'llama', space_prefix });
  });

  it('joins by merges and falls back to bytes', () => {
    const by = createTokenizer(read({ added_tokens: [], normalizer: replace, pre_tokenizer: null }, bytes));
    expect(by.encodeText('a ab锋').map((id) => by.piece(id).replace('\uFFFD', '?'))).toEqual(['a', ' a', 'b', '?', '?', '?']);
    expect(by.decode(by.encodeText('a ab锋'))).toBe('a ab锋');
  });

  it.each([
    ['Metaspace that parts words', { normalizer: null, pre_tokenizer: { ...metaspace, split: true } }],
    ['another character', { normalizer: null, pre_tokenizer: { ...metaspace, replacement: '_' } }],
    ['no treatment of spaces', { normalizer: null, pre_tokenizer: null }],
    ['NFKC', { normalizer: { type: 'NFKC' }, pre_tokenizer: metaspace }],
  ])('refuses %s', (_, change) => {
    expect(thrownBy(() => read({ added_tokens: [], ...change }, bytes)).detail).toMatch(/treatment of spaces/);
  });
});

describe('layTokens', () => {
  it('puts the tokens of the settings in their places, and leads no merge to what text must not become', () => {
    const source = read({ added_tokens: [] });
    const [left = '', right = ''] = source.merges[0]?.split(' ') ?? [];
    const taken = source.tokens.indexOf(left + right);
    const size = source.tokens.length;
    layTokens(source, [[taken, { content: '<|turn|>', special: true, lstrip: false, rstrip: false, single_word: false }], [size + 2, { content: '<tool>', special: false, lstrip: false, rstrip: false, single_word: false }]]);
    expect(source.tokens.slice(size)).toEqual([`[PAD${size}]`, `[PAD${size + 1}]`, '<tool>']);
    expect([source.token_types[taken], ...source.token_types.slice(size)]).toEqual([3, 5, 5, 4]);
    const tokenizer = createTokenizer(source);
    expect(tokenizer.tokenId('<|turn|>')).toBe(taken);
    expect(tokenizer.encodeText(left + right)).toHaveLength(2);
  });
});

describe('readTokenizerJson', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['no JSON', () => readTokenizerJson('{'), /tokenizer\.json/],
    ['another JSON', () => readTokenizerJson('[]'), /tokenizer\.json/],
    ['another model', () => read({}, { type: 'Unigram' }), /“Unigram”/],
    ['no vocabulary', () => read({}, { vocab: null }), /no vocabulary/],
    ['no merges', () => read({}, { merges: {} }), /no merges/],
    ['a merge of numbers', () => read({}, { merges: [[1, 2]] }), /no text/],
    ['an id that is none', () => read({}, { vocab: { a: 0.5 } }), /id 0\.5/],
    ['an id beyond all', () => read({}, { vocab: { a: 1e9 } }), /id 1000000000/],
    ['an id twice', () => read({}, { vocab: { a: 0, b: 0 } }), /two tokens 0/],
    ['a vocabulary of gaps', () => read({}, { vocab: { a: 2_000_000 }, merges: [] }), /without a token/],
    ['dropout', () => read({}, { dropout: 0.1 }), /dropout/],
    ['another pattern', () => read({ pre_tokenizer: split('(a+)+$') }), /parting text: Split \(a\+\)\+\$/],
    ['a pattern used otherwise', () => read({ pre_tokenizer: split(llama('\\p{N}'), 'Removed'), normalizer: { type: 'NFC' } }), /parting text/],
    ['a normalizer that is not known', () => read({ normalizer: { type: 'Lowercase' } }), /Lowercase/],
    ['Qwen without form C', () => read({ pre_tokenizer: split(llama('\\p{N}')) }), /parting text/],
    ['whole words that no family has', () => read({}, { ignore_merges: true }), /parting text/],
    ['a special that takes blanks along', () => read({ added_tokens: [{ ...specials[0], rstrip: true }] as typeof specials }), /takes blanks/],
    ['a sequence of nothing', () => read({ pre_tokenizer: { type: 'Sequence' } }), /without pretokenizers/],
    ['depth', () => readTokenizerJson('{"added_tokens":[],"model":{"vocab":{},"merges":[]},"normalizer":{"type":"NFC","x":' + '['.repeat(50_000) + ']'.repeat(50_000) + '}}'), /tokenizer\.json|parting text/],
  ])('refuses %s', (_, work, detail) => {
    const error = thrownBy(work);
    expect(error.code).toBe('model.tokenizer_invalid');
    expect(error.detail).toMatch(detail);
  });

  it('reads or refuses any JSON by a code', () => {
    const file = fc.record(
      {
        added_tokens: fc.oneof(fc.array(fc.record({ id: fc.oneof(fc.nat(400), fc.double()), content: fc.string(), special: fc.boolean() }, { requiredKeys: ['id'] }), { maxLength: 3 }), fc.jsonValue()),
        normalizer: fc.oneof(fc.constant(null), fc.jsonValue()),
        pre_tokenizer: fc.oneof(fc.constant(tiny.pre_tokenizer), fc.jsonValue()),
        model: fc.oneof(fc.record({ type: fc.constant('BPE'), vocab: fc.oneof(fc.constant(tiny.model.vocab), fc.dictionary(fc.string(), fc.nat(20))), merges: fc.oneof(fc.constant(tiny.model.merges), fc.jsonValue()), byte_fallback: fc.boolean() }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(file, (value) => {
        try {
          createTokenizer(readTokenizerJson(JSON.stringify(value))).encodeText('hello world');
        } catch (error) {
          expect(error).toBeInstanceOf(NamesakeError);
          expect((error as NamesakeError).code).toBe('model.tokenizer_invalid');
        }
      }),
      { numRuns: 500 },
    );
  });
});
