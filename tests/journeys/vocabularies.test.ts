// The families' real vocabularies in every form that a model brings them in give Python's ids, and their chat templates
// Python's text.
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readModelFolder } from '../../main/engine/model-folder.ts';
import { createChatTemplate } from '../../main/pipeline/chat-template.ts';
import { createTokenizer, type Tokenizer } from '../../main/pipeline/tokenizer.ts';
import type { TokenizerSource } from '../../main/pipeline/vocabulary.ts';
import type { Message } from '../../shared/row.ts';
import { fixture, readLines, temporaryFolder } from '../support/files.ts';
import { writeSentencepieceModel } from '../support/sentencepiece.ts';
import { vocabularyFolder, type VocabularyName } from '../support/vocabularies.ts';

const families: { name: VocabularyName; pre: string; architecture: string; stops: number[]; nfc?: boolean }[] = [
  { name: 'internlm2', pre: '', architecture: 'internlm2', stops: [2, 92542] },
  { name: 'qwen2_5', pre: 'qwen2', architecture: 'qwen2', stops: [151643, 151645], nfc: true },
  { name: 'qwen3', pre: 'qwen2', architecture: 'qwen3', stops: [151643, 151645], nfc: true },
  { name: 'llama3_2', pre: 'llama-bpe', architecture: 'llama', stops: [128001, 128008, 128009] },
  { name: 'llama2', pre: '', architecture: 'llama', stops: [2] },
];

/** Milliseconds of processor time: what else runs does not count. */
async function processorTime(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Merges were made of scores: the earlier one leads to a piece, the greater its score. */
function scoresOf({ tokens, merges }: TokenizerSource): number[] {
  const scores = new Map<string, number>();
  merges.forEach((merge, rank) => {
    const piece = merge.replace(' ', '');
    if (!scores.has(piece)) scores.set(piece, -rank);
  });
  return tokens.map((token) => scores.get(token) ?? -1e6);
}

/** What llama.cpp's converter writes of a folder: the keys of a GGUF file. */
function asGguf(source: TokenizerSource, pre: string, architecture: string): TokenizerSource {
  if (source.model === 'gpt2') return { ...source, pre, architecture, add_bos: null };
  // No text of a GGUF file may hold U+0000, so InternLM2's is written as an emoji.
  const tokens = source.tokens.map((token) => (token === '\0' ? '🐉' : token));
  const types = source.token_types.map((type, id) => (tokens[id] === '<unk>' ? 2 : type));
  return { ...source, architecture, tokens, token_types: types, scores: scoresOf(source), merges: [], add_bos: null };
}

/** The same as a folder with tokenizer.model. */
async function asSentencepiece(source: TokenizerSource, folder: string): Promise<TokenizerSource> {
  const made = temporaryFolder();
  const types = source.token_types.map((type, id) => (source.tokens[id] === '<unk>' ? 2 : type));
  writeFileSync(join(made, 'tokenizer.model'), writeSentencepieceModel({ ...source, token_types: types, scores: scoresOf(source) }));
  copyFileSync(join(folder, 'tokenizer_config.json'), join(made, 'tokenizer_config.json'));
  return readModelFolder(made);
}

describe.each(families)('$name', ({ name, pre, architecture, stops, nfc }) => {
  const folder = vocabularyFolder(name);
  let source: TokenizerSource;
  beforeAll(async () => {
    source = await readModelFolder(folder);
  });
  const lines = readLines<{ text: string; ids: number[] }>(fixture('golden', 'tokenizer', `${name}.jsonl.gz`));

  const encodesAsPython = (tokenizer: Tokenizer): void => {
    expect(lines).toHaveLength(2000);
    for (const { text, ids } of lines) {
      expect(tokenizer.encodeText(text), JSON.stringify(text)).toEqual(ids);
      // A text that holds "▁" itself comes back with a space for it, in Python too.
      expect(tokenizer.decode(ids)).toBe((nfc ? text.normalize('NFC') : text).replaceAll(pre === '' ? '▁' : '', pre === '' ? ' ' : ''));
    }
  };

  it('encodes 2,000 texts as Python does out of a folder', () => {
    expect(source.pre).toBe(pre);
    const tokenizer = createTokenizer(source);
    encodesAsPython(tokenizer);
    expect([...tokenizer.stopIds].sort((a, b) => a - b)).toEqual(stops);
  });

  it('encodes them so out of GGUF keys', () => {
    encodesAsPython(createTokenizer(asGguf(source, pre, architecture)));
  });

  it.skipIf(pre !== '')('encodes them so out of tokenizer.model', async () => {
    encodesAsPython(createTokenizer(await asSentencepiece(source, folder)));
  });

  it.skipIf(name === 'llama2')('renders and encodes 100 conversations as Python does', () => {
    const template = createChatTemplate(source.chat_template, createTokenizer(source));
    const chats = readLines<{ messages: Message[]; add_generation_prompt: boolean; text: string; ids: number[] }>(
      fixture('golden', 'tokenizer', `${name}_chats.jsonl.gz`),
    );
    expect(chats).toHaveLength(100);
    for (const { messages, add_generation_prompt, text, ids } of chats) {
      expect(template.render(messages, add_generation_prompt)).toBe(text);
      if (add_generation_prompt) expect(template.encodePrompt(messages)).toEqual(ids);
      else expect(template.encodeConversation(messages).ids).toEqual(ids);
    }
    expect([...template.stopIds].sort((a, b) => a - b)).toEqual(stops);
  });

  it('is read and built in a second or two of processor time', async () => {
    const milliseconds = await processorTime(async () => createTokenizer(await readModelFolder(folder)));
    process.stdout.write(`${name}: ${source.tokens.length} tokens, ${source.merges.length} merges in ${milliseconds.toFixed(0)} ms\n`);
    // 170 to 1,500 measured.
    expect(milliseconds).toBeLessThan(10_000);
  });

  it.each([
    ['words', 'Hello world, 你好世界 1234. '],
    ['one letter', 'a'],
    ['spaces', ' '],
    ['lines', '\n'],
  ])('encodes a million characters of %s in time that grows as they do', async (what, unit) => {
    const tokenizer = createTokenizer(source);
    const text = (length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
    tokenizer.encodeText(text(1000));
    const quarter = await processorTime(() => tokenizer.encodeText(text(250_000)));
    const whole = await processorTime(() => tokenizer.encodeText(text(1_000_000)));
    process.stdout.write(`${name}, ${what}: ${quarter.toFixed(0)} ms, then ${whole.toFixed(0)} ms\n`);
    // Four times the text; sixteen would be quadratic.
    expect(whole).toBeLessThan(10 * quarter + 200);
  });
});
