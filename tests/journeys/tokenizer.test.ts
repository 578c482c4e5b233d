// The default model's tokenizer and chat template give Python's ids.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createChatTemplate } from '../../main/pipeline/chat-template.ts';
import { createTokenizer } from '../../main/pipeline/tokenizer.ts';
import type { Message } from '../../shared/row.ts';
import { catalogueSchema } from '../../shared/model.ts';
import { fixture, readJson, readLines, root } from '../support/files.ts';
import { readTokenizerSource } from '../support/gguf-metadata.ts';

const catalogue = catalogueSchema.parse(readJson(join(root, 'resources/models.json')));
const model = catalogue.models.find(({ id }) => id === catalogue.default);
const home = process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake');
const source = readTokenizerSource(join(home, 'models', model?.id ?? '', model?.file ?? ''));
const tokenizer = createTokenizer(source);
const template = createChatTemplate(source.chat_template, tokenizer);

describe('SmolLM2', () => {
  it('encodes 2,000 texts as Python does, and decodes them again', () => {
    const lines = readLines<{ text: string; ids: number[] }>(fixture('golden/tokenizer/smollm2.jsonl'));
    expect(lines).toHaveLength(2000);
    for (const { text, ids } of lines) {
      expect(tokenizer.encodeText(text), JSON.stringify(text)).toEqual(ids);
      // The vocabulary has no tokens for these bytes: they vanish, in Python too.
      // eslint-disable-next-line no-control-regex
      expect(tokenizer.decode(ids)).toBe(text.replace(/[\x04\x06\x13\x14\x16\x1d]/g, ''));
    }
  });

  it('encodes 100 conversations as Python does', () => {
    const lines = readLines<{ messages: Message[]; add_generation_prompt: boolean; text: string; ids: number[]; labels: number[] }>(
      fixture('golden/tokenizer/smollm2_chats.jsonl'),
    );
    expect(lines).toHaveLength(100);
    for (const { messages, add_generation_prompt, text, ids, labels } of lines) {
      expect(template.render(messages, add_generation_prompt)).toBe(text);
      if (add_generation_prompt) {
        expect(template.encodePrompt(messages)).toEqual(ids);
      } else {
        const row = template.encodeConversation(messages);
        expect(row.ids).toEqual(ids);
        expect(row.labels).toEqual(labels);
      }
    }
  });

  it('stops at the end of a turn', () => {
    expect(template.stopIds).toEqual([tokenizer.tokenId('<|im_end|>'), tokenizer.tokenId('<|endoftext|>')]);
  });
});
