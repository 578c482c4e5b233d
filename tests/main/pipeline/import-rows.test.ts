import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importRows, importTokenBatches, readRows } from '../../../main/pipeline/import-rows.ts';
import type { RowFormat } from '../../../main/pipeline/row-formats.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { rowSchema } from '../../../shared/row.ts';
import { conversation } from '../../support/arbitrary.ts';
import { thrownBy } from '../../support/errors.ts';
import { fixture } from '../../support/files.ts';
import { readFileSync } from 'node:fs';

const lines = (...values: unknown[]): string => values.map((value) => JSON.stringify(value)).join('\n');
const user = { role: 'user', content: 'q' };
const assistant = { role: 'assistant', content: 'a' };

describe('OpenAI’s messages', () => {
  it('become rows with defaults', () => {
    expect(importRows(lines({ messages: [user, assistant] }), 'auto')).toEqual([
      { id: 'line-1', kind: 'imported', lang: 'und', messages: [user, assistant], origin: 'file' },
    ]);
  });

  it('keep what a row says of itself, and what other programs wrote into it', () => {
    const row = { id: 'x', kind: 'identity', lang: 'zh', messages: [{ ...user, name: 'Ann' }, assistant], origin: 'wizard' };
    expect(importRows(lines({ ...row, source: 'elsewhere' }), 'openai')).toEqual([row]);
    expect(importRows(lines({ id: 7, messages: [user, assistant] }), 'auto')[0]?.id).toBe('7');
  });

  it('keep loss flags; a weight of 0 is one', () => {
    const quiet = { ...assistant, loss: false };
    const [row] = importRows(lines({ messages: [user, quiet, user, { ...assistant, weight: 0 }, user, { ...assistant, weight: 1 }] }), 'auto');
    expect(row?.messages.map(({ loss }) => loss)).toEqual([undefined, false, undefined, false, undefined, undefined]);
  });

  it('may be one JSON array, have a byte-order mark, empty lines and carriage returns', () => {
    const row = { messages: [user, assistant] };
    expect(importRows(`\uFEFF ${JSON.stringify([row, row])}`, 'auto').map(({ id }) => id)).toEqual(['line-1', 'line-2']);
    expect(importRows(`\uFEFF${JSON.stringify(row)}\r\n\r\n  \r\n${JSON.stringify(row)}\r\n`, 'auto').map(({ id }) => id)).toEqual(['line-1', 'line-4']);
  });

  it('get ids of their own', () => {
    const ids = ['a', 'a', 'a-2', 'a', 'a-3', 'a'];
    const rows = importRows(lines(...ids.map((id) => ({ id, messages: [user, assistant] }))), 'auto');
    expect(rows[0]?.id).toBe('a');
    expect(new Set(rows.map(({ id }) => id)).size).toBe(ids.length);
    const many = lines(...Array.from({ length: 5000 }, () => ({ id: 'same', messages: [user, assistant] })));
    expect(new Set(importRows(many, 'auto').map(({ id }) => id)).size).toBe(5000);
  });
});

describe('the lesson’s turns', () => {
  it('become messages', () => {
    const value = { conversation: [{ system: 's', input: 'q', output: 'a' }, { input: 'q2', output: 'a2' }], extra: 1 };
    for (const format of ['auto', 'lesson'] as const) {
      expect(importRows(lines(value), format)[0]?.messages).toEqual([
        { role: 'system', content: 's' },
        user,
        assistant,
        { role: 'user', content: 'q2' },
        { role: 'assistant', content: 'a2' },
      ]);
    }
  });

  it('may lack system and input', () => {
    const value = { conversation: [{ system: '', input: '', output: 'a' }, { system: null, input: 'q', output: 'b' }] };
    expect(importRows(lines(value), 'auto')[0]?.messages).toEqual([assistant, user, { role: 'assistant', content: 'b' }]);
  });

  it('may repeat the system text, not change it', () => {
    const turns = (second: string): unknown => ({ conversation: [{ system: 's', input: 'q', output: 'a' }, { system: second, input: 'q', output: 'a' }] });
    expect(importRows(lines(turns('s')), 'auto')[0]?.messages).toHaveLength(5);
    expect(thrownBy(() => importRows(lines(turns('t')), 'auto')).detail).toMatch(/another system text/);
  });
});

describe('refusals', () => {
  const good = { messages: [user, assistant] };
  it.each<[string, RowFormat, string, RegExp]>([
    ['broken JSON', 'auto', '{"messages":', /JSON/],
    ['text', 'auto', 'hello', /JSON/],
    ['a number', 'auto', '7', /not a JSON object/],
    ['null', 'auto', 'null', /not a JSON object/],
    ['a list in a line', 'auto', '[1]', /not a JSON object/],
    ['no messages', 'auto', '{}', /messages/],
    ['messages that are no list', 'auto', '{"messages":{}}', /messages/],
    ['empty messages', 'auto', '{"messages":[]}', /messages/],
    ['an unknown role', 'auto', lines({ messages: [{ role: 'tool', content: 'x' }, assistant] }), /role/],
    ['no content', 'auto', lines({ messages: [user, { role: 'assistant', content: null }] }), /content/],
    ['an unknown kind', 'auto', lines({ kind: 'other', ...good }), /kind/],
    ['an id that is none', 'auto', lines({ id: {}, ...good }), /id/],
    ['an empty id', 'auto', lines({ id: '', ...good }), /id/],
    ['loss that is no boolean', 'auto', lines({ messages: [user, { ...assistant, loss: 1 }] }), /loss/],
    ['loss on a user', 'auto', lines({ messages: [{ ...user, loss: true }, assistant] }), /loss on a user message/],
    ['loss on a system text', 'auto', lines({ messages: [{ role: 'system', content: '', loss: true }, assistant] }), /loss on a system message/],
    ['a late system text', 'auto', lines({ messages: [user, { role: 'system', content: 's' }, assistant] }), /not the first/],
    ['nobody who answers', 'auto', lines({ messages: [user] }), /no message of the assistant/],
    ['a lesson without output', 'auto', lines({ conversation: [{ input: 'q' }] }), /output/],
    ['a lesson without turns', 'auto', lines({ conversation: [] }), /conversation/],
    ['messages where the lesson was said', 'lesson', lines(good), /conversation/],
    ['a lesson where messages were said', 'openai', lines({ conversation: [{ input: 'q', output: 'a' }] }), /messages/],
  ])('of %s name the line', (_, format, line, detail) => {
    const before = format === 'lesson' ? lines({ conversation: [{ input: 'q', output: 'a' }] }) : lines(good);
    const error = thrownBy(() => importRows(`${before}\n\n${line}\n${before}`, format));
    expect(error.code).toBe('rows.invalid');
    expect(error.params['row']).toBe(3);
    expect(error.detail).toMatch(detail);
  });

  it('name the element of an array', () => {
    expect(thrownBy(() => importRows(JSON.stringify([good, good, {}]), 'auto')).params['row']).toBe(3);
  });

  it.each(['', '\n \n', '\uFEFF', '[]'])('of %j say that there is nothing', (text) => {
    expect(thrownBy(() => importRows(text, 'auto')).code).toBe('rows.empty');
  });
});

describe('any input', () => {
  const message = fc.record(
    {
      role: fc.constantFrom('user', 'assistant', 'system', 'x'),
      content: fc.oneof(fc.string(), fc.constant(null)),
      loss: fc.oneof(fc.boolean(), fc.constant(1)),
      weight: fc.anything(),
    },
    { requiredKeys: ['role', 'content'] },
  );
  const rowLike = fc.record(
    {
      id: fc.oneof(fc.string(), fc.nat()),
      kind: fc.constantFrom('identity', 'imported', 'x'),
      messages: fc.oneof({ arbitrary: conversation, weight: 8 }, fc.array(message, { maxLength: 3 }), fc.jsonValue()),
      ['__proto__']: fc.jsonValue(),
    },
    { requiredKeys: ['messages'] },
  );
  const lesson = fc.record({ conversation: fc.oneof(fc.array(fc.record({ input: fc.string(), output: fc.string() })), fc.jsonValue()) });
  const value = fc.oneof({ arbitrary: rowLike, weight: 4 }, lesson, fc.jsonValue());
  const text = fc.oneof(
    fc.string(),
    fc.array(value, { maxLength: 3 }).map((values) => lines(...values)),
    fc.array(value, { maxLength: 3 }).map((values) => JSON.stringify(values)),
  );

  it('gives valid rows or a NamesakeError', () => {
    let accepted = 0;
    fc.assert(
      fc.property(text, fc.constantFrom<RowFormat>('auto', 'openai', 'lesson'), (input, format) => {
        try {
          for (const row of importRows(input, format)) expect(rowSchema.parse(row)).toEqual(row);
          accepted++;
        } catch (error) {
          if (!(error instanceof NamesakeError)) throw error;
          expect(['rows.invalid', 'rows.empty']).toContain(error.code);
        }
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(40); // measured: 78 of 1,000
  });

  it('gives token batches or a NamesakeError', () => {
    const matrix = fc.array(fc.array(fc.integer({ min: -101, max: 9 }), { maxLength: 3 }), { maxLength: 3 });
    const batch = fc.record({ input_ids: matrix, labels: matrix, attention_mask: matrix }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.array(batch).map((list) => JSON.stringify(list))), (input) => {
        try {
          importTokenBatches(input);
        } catch (error) {
          if (!(error instanceof NamesakeError)) throw error;
          expect(error.code).toBe('rows.invalid');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('alpaca', () => {
  it('is an instruction, what it is about, and the answer', () => {
    const messages = (value: unknown, format: RowFormat = 'auto') => importRows(lines(value), format)[0]?.messages;
    expect(messages({ instruction: 'Add.', input: '1+1', output: '2' })).toEqual([{ role: 'user', content: 'Add.\n1+1' }, { role: 'assistant', content: '2' }]);
    expect(messages({ instruction: 'q', input: '', output: 'a', extra: 1 }, 'alpaca')).toEqual([user, assistant]);
    expect(messages({ instruction: 'q', output: 'a', input: null })).toEqual([user, assistant]);
  });

  it('may have a system text and earlier turns', () => {
    expect(importRows(lines({ system: 's', history: [['q1', 'a1'], ['q2', 'a2']], instruction: 'q', output: 'a' }), 'auto')[0]?.messages.map(({ content }) => content)).toEqual([
      ...['s', 'q1', 'a1', 'q2', 'a2', 'q', 'a'],
    ]);
  });
});

describe('ShareGPT', () => {
  it('is turns of human and gpt, under any of their names', () => {
    for (const [asks, says] of [['human', 'gpt'], ['user', 'assistant'], ['user', 'chatgpt']]) {
      const value = { id: 'x', conversations: [{ from: 'system', value: 's' }, { from: asks, value: 'q' }, { from: says, value: 'a' }] };
      expect(importRows(lines(value), 'auto')[0]).toEqual({
        id: 'line-1',
        kind: 'imported',
        lang: 'und',
        messages: [{ role: 'system', content: 's' }, user, assistant],
        origin: 'file',
      });
    }
    const beside = { system: 's', conversations: [{ from: 'human', value: 'q' }, { from: 'gpt', value: 'a' }] };
    expect(importRows(lines(beside), 'sharegpt')[0]?.messages[0]).toEqual({ role: 'system', content: 's' });
  });
});

describe('refusals of the other formats', () => {
  it.each<[string, RowFormat, unknown, RegExp]>([
    ['a tool’s turn', 'auto', { conversations: [{ from: 'human', value: 'q' }, { from: 'observation', value: 'x' }] }, /observation/],
    ['a name that objects have', 'auto', { conversations: [{ from: 'constructor', value: 'q' }, { from: 'gpt', value: 'a' }] }, /constructor/],
    ['no turns', 'auto', { conversations: [] }, /conversations/],
    ['nobody who answers', 'auto', { conversations: [{ from: 'human', value: 'q' }] }, /no message of the assistant/],
    ['an instruction without output', 'auto', { instruction: 'q' }, /output/],
    ['an input that is no text', 'alpaca', { instruction: 'q', input: 3, output: 'a' }, /input/],
    ['messages where alpaca was said', 'alpaca', { messages: [user, assistant] }, /instruction/],
    ['alpaca where ShareGPT was said', 'sharegpt', { instruction: 'q', output: 'a' }, /conversations/],
  ])('of %s say what is wrong', (_, format, value, detail) => {
    const error = thrownBy(() => importRows(lines(value), format));
    expect(error).toMatchObject({ code: 'rows.invalid', params: { row: 1 } });
    expect(error.detail).toMatch(detail);
  });

  it.each([
    ['brackets', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['a row', `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","x":${'{"x":'.repeat(50_000)}1${'}'.repeat(50_000)}}]}`],
  ])('of %s nested without end', (_, text) => {
    expect(thrownBy(() => importRows(text, 'auto')).detail).toMatch(/nested more than/);
  });

  it('let brackets in texts be', () => {
    const content = '[{'.repeat(5000) + '"\\';
    expect(importRows(lines({ messages: [{ role: 'user', content }, assistant] }), 'auto')[0]?.messages[0]?.content).toBe(content);
  });
});

describe('a conversation in any format', () => {
  const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((text) => text.toWellFormed());
  const turns = fc.array(fc.record({ asked: word, said: word }), { minLength: 1, maxLength: 4 });
  const anyConversation = fc.record({ system: fc.option(word, { nil: undefined }), turns });
  type Conversation = { system: string | undefined; turns: { asked: string; said: string }[] };

  const writers: Record<Exclude<RowFormat, 'auto'>, (conversation: Conversation) => unknown> = {
    openai: ({ system, turns: said }) => ({
      messages: [
        ...(system === undefined ? [] : [{ role: 'system', content: system }]),
        ...said.flatMap((turn) => [{ role: 'user', content: turn.asked }, { role: 'assistant', content: turn.said }]),
      ],
    }),
    alpaca: ({ system, turns: said }) => ({
      system,
      history: said.slice(0, -1).map((turn) => [turn.asked, turn.said]),
      instruction: said.at(-1)?.asked,
      input: '',
      output: said.at(-1)?.said,
    }),
    sharegpt: ({ system, turns: said }) => ({
      ...(system === undefined ? {} : { system }),
      conversations: said.flatMap((turn) => [{ from: 'human', value: turn.asked }, { from: 'gpt', value: turn.said }]),
    }),
    lesson: ({ system, turns: said }) => ({ conversation: said.map((turn, i) => ({ system: i === 0 ? system : '', input: turn.asked, output: turn.said })) }),
  };

  it('is read the same, by its name and by itself, in lines and in a list, with any line ends', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyConversation, fc.constantFrom(...Object.keys(writers) as (keyof typeof writers)[])), { minLength: 1, maxLength: 4 }), fc.constantFrom('\n', '\r\n', '\n\n'), (written, end) => {
        const values = written.map(([conversation, format]) => writers[format](conversation));
        const expected = written.map(([conversation]) => importRows(lines(writers.openai(conversation)), 'openai')[0]?.messages);
        const messages = (text: string): unknown => importRows(text, 'auto').map((row) => row.messages);
        expect(messages(values.map((value) => JSON.stringify(value)).join(end))).toEqual(expected);
        expect(messages(`\uFEFF${JSON.stringify(values, null, 2)}`)).toEqual(expected);
        for (const [i, [, format]] of written.entries()) expect(importRows(lines(values[i]), format)[0]?.messages).toEqual(expected[i]);
      }),
      { numRuns: 200 },
    );
  });

  it('is taken where others are refused: what readRows takes and refuses is every line', async () => {
    const line = fc.oneof(anyConversation.map((conversation) => JSON.stringify(writers.openai(conversation))), fc.constantFrom('{}', 'x', '{"messages":[]}', '7'));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (list) => {
        const good = list.filter((text) => text.length > 15);
        const read = await readRows(list.join('\n'), 'auto', { rows: 100, characters: 1000 });
        expect(read.rows.map(({ messages }) => messages)).toEqual(good.map((text) => importRows(text, 'auto')[0]?.messages));
        expect(read.refused.map(({ line: number }) => number)).toEqual(list.flatMap((text, i) => (text.length > 15 ? [] : [i + 1])));
        expect(read.refused_total).toBe(list.length - good.length);
        for (const { reason } of read.refused) expect(reason).not.toBe('');
      }),
    );
  });
});

describe('readRows', () => {
  const good = lines({ messages: [user, assistant] });

  it('refuses what is beyond its limits, and keeps the rest', async () => {
    const long = lines({ messages: [user, { role: 'assistant', content: 'x'.repeat(11) }] });
    const read = await readRows([good, long, good, good, good].join('\n'), 'auto', { rows: 2, characters: 10 });
    expect(read).toMatchObject({ refused_total: 3, refused: [{ line: 2 }, { line: 4 }, { line: 5 }] });
    expect(read.rows).toHaveLength(2);
    expect(read.refused[0]?.reason).toMatch(/11 characters/);
    expect(read.refused[1]?.reason).toMatch(/more than 2 rows/);
  });

  it('names the elements of a list, or the whole where it is no list', async () => {
    const limits = { rows: 9, characters: 99 };
    expect(await readRows(`[${good}, 5, ${good}]`, 'auto', limits)).toMatchObject({ rows: [{}, {}], refused: [{ line: 2 }] });
    expect(await readRows(`[${good}, `, 'auto', limits)).toMatchObject({ rows: [], refused_total: 1, refused: [{ line: 1 }] });
    await expect(readRows('[]', 'auto', limits)).rejects.toMatchObject({ code: 'rows.empty' });
  });

  it('lets others run while it reads', async () => {
    const text = Array.from({ length: 400_000 }, () => good).join('\n');
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const read = await readRows(text, 'auto', { rows: 500_000, characters: 99 });
    clearInterval(timer);
    expect(read.rows).toHaveLength(400_000);
    expect(ticks).toBeGreaterThan(1);
  });
});

describe('importTokenBatches', () => {
  const batch = { input_ids: [[1, 2]], labels: [[-100, 2]], attention_mask: [[1, 1]] };

  it('reads what Python wrote', () => {
    const text = readFileSync(fixture('golden/tiny-llama/batches.json'), 'utf8');
    expect(importTokenBatches(text)).toHaveLength(10);
    expect(importTokenBatches(`\uFEFF${JSON.stringify([{ ...batch, extra: 1 }])}`)).toEqual([batch]);
  });

  it.each<[string, unknown, number]>([
    ['an object', batch, 1],
    ['an empty list', [], 1],
    ['a batch without labels', [batch, { ...batch, labels: undefined }], 2],
    ['shapes that differ', [batch, batch, { ...batch, labels: [[2]] }], 3],
    ['a row that is missing', [{ ...batch, attention_mask: [] }], 1],
    ['a negative id', [batch, { ...batch, input_ids: [[-1, 2]] }], 2],
    ['a fraction', [{ ...batch, input_ids: [[1, 0.5]] }], 1],
    ['a label that is neither an id nor -100', [batch, { ...batch, labels: [[-100, -5]] }], 2],
    ['a mask of 2', [{ ...batch, attention_mask: [[1, 2]] }], 1],
  ])('refuses %s and names the batch', (_, value, row) => {
    const error = thrownBy(() => importTokenBatches(JSON.stringify(value)));
    expect(error.code).toBe('rows.invalid');
    expect(error.params['row']).toBe(row);
  });
});
