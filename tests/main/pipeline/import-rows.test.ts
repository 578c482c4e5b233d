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
