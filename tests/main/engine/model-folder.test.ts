import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readModelFolder } from '../../../main/engine/model-folder.ts';
import { createChatTemplate } from '../../../main/pipeline/chat-template.ts';
import { createTokenizer } from '../../../main/pipeline/tokenizer.ts';
import { rejectedBy } from '../../support/errors.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';

const template = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const token = (content: string, special = true): object => ({ content, special, lstrip: false, rstrip: false, single_word: false, normalized: false });

/** A folder with the small tokenizer.model, and these files as JSON (or as they are, where they are text). */
function folderOf(files: Record<string, unknown> = {}): string {
  const folder = temporaryFolder();
  copyFileSync(fixture('tiny-spm', 'tokenizer.model'), join(folder, 'tokenizer.model'));
  const all = { 'tokenizer_config.json': { bos_token: '<s>', eos_token: token('</s>'), chat_template: template }, ...files };
  for (const [name, content] of Object.entries(all)) {
    if (content !== undefined) writeFileSync(join(folder, name), typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return folder;
}

describe('readModelFolder', () => {
  it('makes a tokenizer and a chat template that stop where the makers say', async () => {
    const source = await readModelFolder(folderOf({ 'generation_config.json': { eos_token_id: [2, 4] }, 'config.json': { eos_token_id: 2 } }));
    expect(source).toMatchObject({ model: 'llama', bos_id: 1, eos_id: 2, stop_ids: [2, 4, 2], add_bos: false, chat_template: template });
    const tokenizer = createTokenizer(source);
    const chat = createChatTemplate(source.chat_template, tokenizer);
    const { ids, labels } = chat.encodeConversation([
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'hello' },
    ]);
    expect(ids.filter((id) => id <= 4)).toEqual([1, 3, 4, 3, 4]);
    // Between special and words there is one space that nobody wrote, behind the role's line none.
    expect(tokenizer.decode(labels.filter((id) => id >= 0))).toBe('hello');
    expect(labels.filter((id) => id >= 0).slice(0, -1)).toEqual(tokenizer.encodeText('hello', 'inside'));
    expect([...chat.stopIds].sort()).toEqual([2, 4]);
  });

  it('lays the tokens of the settings over the vocabulary', async () => {
    const source = await readModelFolder(folderOf({ 'tokenizer_config.json': { added_tokens_decoder: { 999: token('<|eot_id|>'), 1001: token('<tool>', false) } } }));
    expect([source.tokens[999], source.token_types[999], source.tokens.slice(1000), source.bos_id]).toEqual(['<|eot_id|>', 3, ['[PAD1000]', '<tool>'], 1]);
    expect(createTokenizer(source).stopIds).toContain(999);
  });

  it.each<[string, Record<string, unknown>, string | null]>([
    ['its own file', { 'chat_template.jinja': 'own', 'tokenizer_config.json': { chat_template: 'kept' } }, 'own'],
    ['the settings', { 'tokenizer_config.json': { chat_template: 'kept' } }, 'kept'],
    ['the one called default', { 'tokenizer_config.json': { chat_template: [{ name: 'tool_use', template: 't' }, { name: 'default', template: 'd' }] } }, 'd'],
    ['nowhere', { 'tokenizer_config.json': undefined }, null],
  ])('takes the chat template from %s', async (_, files, expected) => {
    expect((await readModelFolder(folderOf(files))).chat_template).toBe(expected);
  });

  it.each([
    [{ legacy: true }, 'each'],
    [{ legacy: false }, 'start'],
    [{ add_prefix_space: false }, 'never'],
  ])('puts spaces as %j asks', async (config, where) => {
    expect((await readModelFolder(folderOf({ 'tokenizer_config.json': config }))).space_prefix).toEqual({ where, doubled: true });
  });

  it('prefers tokenizer.json', async () => {
    expect((await rejectedBy(readModelFolder(folderOf({ 'tokenizer.json': '{}' })))).detail).toMatch(/tokenizer\.json/);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['settings that are no JSON', { 'tokenizer_config.json': '{' }, /tokenizer_config\.json/],
    ['settings of another kind', { 'tokenizer_config.json': { bos_token: 7 } }, /tokenizer_config\.json/],
    ['settings that are not UTF-8', { 'generation_config.json': Buffer.from([0x7b, 0xff, 0x7d]) }, /generation_config\.json is not UTF-8/],
    ['an end that is none', { 'generation_config.json': { eos_token_id: -1 } }, /generation_config\.json/],
    ['a token far away', { 'tokenizer_config.json': { added_tokens_decoder: { 9999999: token('x') } } }, /token id 9999999/],
    ['a name for an id', { 'tokenizer_config.json': { added_tokens_decoder: { __proto__x: token('x') } } }, /tokenizer_config\.json/],
  ])('refuses %s', async (_, files, detail) => {
    const error = await rejectedBy(readModelFolder(folderOf(files)));
    expect(error.code).toBe('model.tokenizer_invalid');
    expect(error.detail).toMatch(detail);
  });

  it('refuses a folder without a tokenizer, one that is too large, and one that cannot be read', async () => {
    expect((await rejectedBy(readModelFolder(temporaryFolder()))).detail).toMatch(/neither tokenizer\.json nor tokenizer\.model/);
    const large = folderOf();
    truncateSync(join(large, 'tokenizer.model'), 129 * 2 ** 20);
    expect((await rejectedBy(readModelFolder(large))).detail).toMatch(/are read/);
    const odd = folderOf();
    mkdirSync(join(odd, 'tokenizer.json'));
    expect((await rejectedBy(readModelFolder(odd))).code).toBe('model.unreadable');
  });
});
