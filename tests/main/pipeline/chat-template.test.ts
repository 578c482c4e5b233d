import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../../shared/row.ts';
import { conversation, nastyText } from '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture, readLines } from '../../support/files.ts';
import { tinySource, tinyTemplate, tinyTokenizer } from '../../support/tiny-model.ts';

const tokenizer = tinyTokenizer();
const template = tinyTemplate();
const end = tokenizer.tokenId('<|im_end|>') ?? -1;
const start = tokenizer.tokenId('<|im_start|>') ?? -1;
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string, flags: Partial<Message> = {}): Message => ({ role: 'assistant', content, ...flags });

/** ChatML over the tiny vocabulary, with `content` as the way that a message's words are written. */
function chatMl(content: string): string {
  return (
    `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ ${content} }}<|im_end|>\n{% endfor %}` +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'
  );
}

/** The learnt parts of a conversation, as text; specials by name. */
function learnt(messages: Message[], by = template): string[] {
  const { labels, ids } = by.encodeConversation(messages);
  const parts: number[][] = [];
  labels.forEach((label, i) => {
    if (label === -100) return;
    expect(label).toBe(ids[i]);
    if (i === 0 || labels[i - 1] === -100) parts.push([]);
    parts.at(-1)?.push(label);
  });
  return parts.map((part) => tokenizer.decode(part) + (part.at(-1) === end ? '<end>' : ''));
}

describe('against Python', () => {
  it('gives text, ids and labels of 20 conversations', () => {
    const lines = readLines<{ messages: Message[]; add_generation_prompt: boolean; text: string; ids: number[]; labels: number[] }>(
      fixture('golden/tokenizer/tiny_chats.jsonl'),
    );
    expect(lines).toHaveLength(20);
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
});

describe('encodeConversation', () => {
  it('is the prompt, then the words, then the end of turn', () => {
    fc.assert(
      fc.property(fc.array(nastyText, { maxLength: 2 }), nastyText, nastyText, (before, asked, said) => {
        const messages = [...before.map((text, i) => (i % 2 ? assistant(text) : user(text))), ...(before.length % 2 ? [assistant('x')] : [])];
        const prompt = template.encodePrompt([...messages, user(asked)]);
        const { ids } = template.encodeConversation([...messages, user(asked), assistant(said)]);
        expect(ids.slice(0, prompt.length)).toEqual(prompt);
        const answer = tokenizer.encodeText(said);
        expect(ids.slice(prompt.length)).toEqual([...answer, end, ...tokenizer.encodeText('\n')]);
      }),
    );
  });

  it('labels the assistant’s words and ends alone, by their flags', () => {
    fc.assert(
      fc.property(conversation, (messages) => {
        const turns = messages.filter(({ role }) => role === 'assistant');
        const expected = turns
          .filter(({ loss }) => loss !== false)
          .map(({ content, cut }) => content + (cut ? '' : '<end>'))
          .filter((text) => text !== '');
        expect(learnt(messages)).toEqual(expected);
      }),
    );
  });

  it('has exactly the specials of the template, whatever the messages hold', () => {
    fc.assert(
      fc.property(conversation, (messages) => {
        const { ids } = template.encodeConversation(messages);
        const vendor = messages[0]?.role === 'system' ? 0 : 1;
        expect(ids.filter((id) => id === start)).toHaveLength(messages.length + vendor);
        expect(ids.filter((id) => id === end)).toHaveLength(messages.length + vendor - (messages.at(-1)?.cut ? 1 : 0));
      }),
    );
  });

  it('ends a cut answer with its last word, only where it is the last', () => {
    const cut = [user('a'), assistant('b', { cut: true })];
    expect(template.encodeConversation(cut).ids.at(-1)).toBe(tokenizer.encodeText('b')[0]);
    expect(learnt([...cut, user('c'), assistant('d')])).toEqual(['b', 'd<end>']);
  });

  it('names every id', () => {
    const { ids, pieces } = template.encodeConversation([user('锋'), assistant('ok')]);
    expect(pieces).toHaveLength(ids.length);
    expect(pieces).toContain('<|im_end|>');
    expect(pieces).toContain('\uFFFD');
  });

  it('takes an assistant who speaks first, and a user who speaks last', () => {
    expect(learnt([assistant('hello')])).toEqual(['hello<end>']);
    expect(learnt([assistant('hello'), user('hi'), assistant('yes')])).toEqual(['hello<end>', 'yes<end>']);
    expect(learnt([user('hi'), assistant('yes'), user('why')])).toEqual(['yes<end>']);
    const open = [user('hi'), assistant('yes'), user('why')];
    expect(tokenizer.decode(template.encodeConversation(open).ids)).toContain('why');
  });

  it('takes the system text of a row, an empty one too', () => {
    expect(template.render([user('hi')], false)).toContain('Example Labs');
    expect(template.render([{ role: 'system', content: '' }, user('hi')], false)).not.toContain('Example Labs');
  });

  it.each([
    ['m.content | trim', ' two  words \n', 'two  words'],
    ['m.content.rstrip()', ' two \n', ' two'],
    ['m.content.split("</think>")[-1]', 'words', 'words'],
    ['m.content', ' two \n', ' two \n'],
    ['m.content | trim', ' \n ', ''],
  ])('learns what a template with {{ %s }} writes of %j', (content, words, written) => {
    expect(learnt([user('a'), assistant(words), user('b'), assistant(words)], tinyTemplate(chatMl(content)))).toEqual([
      `${written}<end>`,
      `${written}<end>`,
    ]);
  });

  it('does not learn blanks between words and end', () => {
    const spaced = tinyTemplate(chatMl('m.content ~ "\\n"'));
    const { ids, labels } = spaced.encodeConversation([user('a'), assistant('b')]);
    const newline = tokenizer.encodeText('\n')[0];
    expect(ids.slice(-4)).toEqual([tokenizer.encodeText('b')[0], newline, end, newline]);
    expect(labels.slice(-4)).toEqual([tokenizer.encodeText('b')[0], -100, end, -100]);
  });
});

describe('a template that lets thinking be', () => {
  /** As Qwen 3's: an empty block of thoughts before the last answer, none in the turns before, thoughts of old ones dropped. */
  const thinking = tinyTemplate(
    '{% for m in messages %}{% set words = m.content.split("</think>")[-1].lstrip("\\n") if m.role == "assistant" else m.content %}' +
      '<|im_start|>{{ m.role }}\n{% if m.role == "assistant" and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ words }}<|im_end|>\n{% endfor %}' +
      '{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}',
  );

  it('has it off: an answer is asked for behind an empty block, and learnt there', () => {
    expect(thinking.render([user('a')], true)).toMatch(/assistant\n<think>\n\n<\/think>\n\n$/);
    const messages = [user('a'), assistant('b'), user('c'), assistant('  d')];
    expect(learnt(messages, thinking)).toEqual(['b<end>', '  d<end>']);
    const prompt = thinking.encodePrompt(messages.slice(0, 3));
    expect(thinking.encodeConversation(messages).ids.slice(0, prompt.length)).toEqual(prompt);
  });

  it('leaves out what an assistant thought', () => {
    const thought = [user('a'), assistant('<think>\nhm\n</think>\n\nb'), user('c'), assistant('<think>x</think>d')];
    expect(learnt(thought, thinking)).toEqual(['b<end>', 'd<end>']);
    expect(thinking.render(thought, false)).not.toMatch(/hm|x/);
    // A person may write the same: it is text.
    expect(thinking.render([user('</think>a')], true)).toContain('</think>a');
  });
});

describe('a template whose answers begin with a blank', () => {
  const spaced = tinyTemplate(
    '{% for m in messages %}{% if m.role == "user" %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}',
  );

  it('teaches the blank, which no prompt has', () => {
    const messages = [user('a'), assistant('b'), user('c'), assistant('d')];
    expect(learnt(messages, spaced)).toEqual([' b<end>', ' d<end>']);
    const prompt = spaced.encodePrompt(messages.slice(0, 3));
    expect(spaced.encodeConversation(messages).ids.slice(0, prompt.length)).toEqual(prompt);
  });
});

describe('beginning of sequence', () => {
  const bos = tokenizer.tokenId('<|endoftext|>') ?? -1;
  const beginning = tinyTokenizer({ add_bos: true, bos_id: bos });

  it('comes once, without a label', () => {
    for (const source of [chatMl('m.content'), `{{ bos_token }}${chatMl('m.content')}`]) {
      const by = tinyTemplate(source, beginning);
      const { ids, labels } = by.encodeConversation([user('a'), assistant('b')]);
      expect(ids.slice(0, 2)).toEqual([bos, start]);
      expect(labels[0]).toBe(-100);
      expect(labels).toHaveLength(ids.length);
      expect(by.encodePrompt([user('a')])).toEqual(ids.slice(0, by.encodePrompt([user('a')]).length));
    }
  });
});

describe('createChatTemplate', () => {
  it('knows where an answer ends', () => {
    const text = tokenizer.tokenId('<|endoftext|>') ?? -1;
    expect(template.stopIds).toEqual([end, text]);
    expect(tinyTemplate(undefined, tinyTokenizer({ eos_id: null })).stopIds).toEqual([end, text]);
    // What the makers list beside, and no name that is an ordinary token.
    const types = tinySource.token_types.map((type, id) => (id === text ? 1 : type));
    expect(tinyTemplate(undefined, tinyTokenizer({ stop_ids: [7, start], token_types: types })).stopIds).toEqual([end, 7, start]);
  });

  it.each<[string, string | null, string]>([
    ['no template', null, 'model.template_missing'],
    ['a blank one', ' \n', 'model.template_missing'],
    ['one that does not parse', '{% for %}', 'model.template_invalid'],
    ['one that calls what is not there', '{{ nothing.at.all() }}', 'model.template_invalid'],
    ['one that raises', '{{ raise_exception("no") }}', 'model.template_invalid'],
    ['an endless one', '{% for i in range(10000000000) %}{% endfor %}', 'model.template_invalid'],
    ['a huge one', `${'x'.repeat(1_000_000)}${chatMl('m.content')}`, 'model.template_invalid'],
    ['one that writes nothing', '{% if false %}x{% endif %}', 'model.template_invalid'],
    ['one that drops the words', chatMl('"x"'), 'model.template_invalid'],
    ['one that changes the words', chatMl('m.content | upper'), 'model.template_invalid'],
    ['one that reverses the order', chatMl('m.content').replace('in messages', 'in messages[::-1]'), 'model.template_invalid'],
    ['one that asks otherwise than it teaches', chatMl('m.content') + '{% if add_generation_prompt %}<|im_start|>{% endif %}', 'model.template_invalid'],
    ['one without an end of turn', chatMl('m.content').replace('<|im_end|>', ''), 'model.template_token_missing'],
    ['one whose end is no token', chatMl('m.content').replace('<|im_end|>', '<|eot|>'), 'model.template_token_missing'],
    ['one whose end is a word', chatMl('m.content').replace('<|im_end|>', '[END]'), 'model.template_token_missing'],
    ['one whose start is no token', chatMl('m.content').replaceAll('<|im_start|>', '<|turn|>'), 'model.template_token_missing'],
  ])('refuses %s', (_, source, code) => {
    expect(thrownBy(() => tinyTemplate(source)).code).toBe(code);
  });

  it('refuses a vocabulary whose end of turn is an ordinary token', () => {
    const types = tinySource.token_types.map((type, id) => (id === end ? 1 : type));
    const error = thrownBy(() => tinyTemplate(undefined, tinyTokenizer({ token_types: types })));
    expect(error.code).toBe('model.template_token_missing');
    expect(error.params['token']).toBe('<|im_end|>');
  });

  it('refuses a conversation whose earlier turns it would rewrite', () => {
    const last = tinyTemplate(chatMl('m.content ~ (" " if loop.last and messages | length > 3 else "")'));
    expect(learnt([user('a'), assistant('b')], last)).toEqual(['b<end>']);
    const forgetful = tinyTemplate(chatMl('(m.content if loop.last or messages | length < 4 else "")'));
    const error = thrownBy(() => forgetful.encodeConversation([user('a'), assistant('b'), user('c'), assistant('d')]));
    expect(error.code).toBe('model.template_invalid');
    expect(error.detail).toMatch(/rewrites earlier turns/);
  });
});
