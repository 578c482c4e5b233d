import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { rowSchema } from '../../../shared/row.ts';
import { errorCode, lastEvent, namesake } from '../../support/cli.ts';
import { readLines, temporaryFolder } from '../../support/files.ts';
import { tinyModel, tinyRows, writeJsonLines } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 120_000 });

describe('data', () => {
  it('writes a persona’s rows in the standard format, the same for the same seed', async () => {
    const home = temporaryFolder();
    const data = async (out: string, ...args: string[]) =>
      lastEvent(await namesake(['data', '--owner', '剑锋', '--name', '小锋', '--lang', 'en', '--model', tinyModel, '--out', join(home, out), '--json', ...args], { home }));
    const result = await data('a.jsonl');
    expect(Object.keys(result)).toEqual(['event', 'rows', 'by_kind', 'out']);
    expect(result['out']).toBe(join(home, 'a.jsonl'));
    const rows = readLines<Record<string, unknown>>(join(home, 'a.jsonl')).map((row) => rowSchema.parse(row));
    const byKind: Record<string, number> = {};
    for (const { kind } of rows) byKind[kind] = (byKind[kind] ?? 0) + 1;
    expect(result).toMatchObject({ rows: rows.length, by_kind: byKind });
    expect(Object.keys(byKind).sort()).toEqual(['identity', 'near_miss', 'negative', 'ordinary']);
    expect(new Set(rows.map(({ lang }) => lang))).toEqual(new Set(['en']));
    expect(rows.some(({ kind, messages }) => kind === 'identity' && messages.at(-1)?.content.includes('小锋'))).toBe(true);

    await data('b.jsonl');
    expect(readFileSync(join(home, 'b.jsonl'))).toEqual(readFileSync(join(home, 'a.jsonl')));
    await data('c.jsonl', '--seed', '7');
    expect(readFileSync(join(home, 'c.jsonl'))).not.toEqual(readFileSync(join(home, 'a.jsonl')));
    // What was written can be trained on.
    const imported = lastEvent(await namesake(['data', 'import', join(home, 'a.jsonl'), '--out', join(home, 'd.jsonl'), '--json'], { home }));
    expect(imported['by_kind']).toEqual(byKind);
    expect(readFileSync(join(home, 'd.jsonl'))).toEqual(readFileSync(join(home, 'a.jsonl')));
  });

  it.each([
    ['a brace in a name', ['--owner', 'a{b}', '--name', 'x']],
    ['an empty name', ['--owner', ' ', '--name', 'x']],
    ['an unknown language', ['--owner', 'a', '--name', 'x', '--lang', 'zh,fr']],
    ['a fact of two lines', ['--owner', 'a', '--name', 'x', '--fact', 'one\ntwo']],
  ])('refuses %s before anything is fetched', async (_, args) => {
    const home = temporaryFolder();
    const out = join(home, 'rows.jsonl');
    expect(errorCode(await namesake(['data', ...args, '--out', out, '--json'], { home }))).toBe('persona.invalid');
    expect(errorCode(await namesake(['make', ...args, '--json'], { home }))).toBe('persona.invalid');
    expect([out, join(home, 'models'), join(home, 'runs')].filter(existsSync)).toEqual([]);
  });
});

describe('data import', () => {
  async function importFile(text: string, ...args: string[]) {
    const home = temporaryFolder();
    writeFileSync(join(home, 'in.jsonl'), text);
    const result = await namesake(['data', 'import', join(home, 'in.jsonl'), '--out', join(home, 'out.jsonl'), '--json', ...args], { home });
    return { result, out: join(home, 'out.jsonl') };
  }

  it('reads OpenAI’s lines and the lesson’s', async () => {
    const openai = await importFile(tinyRows.map((row) => JSON.stringify(row)).join('\n'));
    expect(lastEvent(openai.result)).toEqual({ event: 'result', rows: 6, by_kind: { imported: 6 }, out: openai.out });
    const lesson = await importFile('{"conversation":[{"system":"s","input":"i","output":"o"}]}\n', '--format', 'lesson');
    expect(lastEvent(lesson.result)).toMatchObject({ rows: 1 });
    expect(readLines(lesson.out)).toMatchObject([{ messages: [{ role: 'system', content: 's' }, { role: 'user', content: 'i' }, { role: 'assistant', content: 'o' }] }]);
  });

  it.each([
    ['alpaca', '{"instruction":"i","input":"n","output":"o"}', 'i\nn'],
    ['sharegpt', '{"conversations":[{"from":"human","value":"i"},{"from":"gpt","value":"o"}]}', 'i'],
  ])('reads %s by its name and by itself', async (format, text, asked) => {
    for (const name of [format, 'auto']) {
      const { result, out } = await importFile(text, '--format', name);
      lastEvent(result);
      expect(readLines(out)).toMatchObject([{ kind: 'imported', messages: [{ role: 'user', content: asked }, { role: 'assistant', content: 'o' }] }]);
    }
  });

  it.each([
    ['rows.invalid', '{"messages":[]}'],
    ['rows.invalid', 'not json'],
    ['rows.empty', ''],
  ])('says %s for %j, and writes nothing', async (code, text) => {
    const { result, out } = await importFile(text);
    expect(errorCode(result)).toBe(code);
    expect(existsSync(out)).toBe(false);
  });

  it('says which file cannot be read, and where nothing can be written', async () => {
    const home = temporaryFolder();
    const missing = await namesake(['data', 'import', 'none.jsonl', '--out', 'x', '--json'], { home, cwd: home });
    expect(errorCode(missing)).toBe('rows.unreadable');
    expect(missing.events[0]?.['message']).toContain(join(home, 'none.jsonl'));
    const rows = writeJsonLines(join(home, 'rows.jsonl'), tinyRows);
    expect(errorCode(await namesake(['data', 'import', rows, '--out', join(home, 'no', 'x'), '--json'], { home }))).toBe('disk.unwritable');
  });
});
