import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { errorCode, eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { fixture, readLines, temporaryFolder } from '../../support/files.ts';
import { readTensor, relativeL2 } from '../../support/safetensors.ts';
import { goldenRecipe, tinyModel, tinyRows, writeJsonLines, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

describe('inspect rows', () => {
  it('prints the rows in the file’s order', async () => {
    const home = temporaryFolder();
    const rows = eventsOf(await namesake(['inspect', 'rows', '--recipe', writeRecipe(home), '--json'], { home }), 'row');
    expect(rows.map(({ row }) => row)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows.map(({ messages }) => messages)).toEqual(tinyRows.map(({ messages }) => messages));
    expect(rows[0]).toMatchObject({ id: 'line-1', kind: 'imported', lang: 'und', origin: 'file' });
  });

  it('prints the one that was asked for, or says how many there are', async () => {
    const home = temporaryFolder();
    const recipe = writeRecipe(home);
    const one = await namesake(['inspect', 'rows', '--recipe', recipe, '--row', '3', '--json'], { home });
    expect(one.events).toMatchObject([{ event: 'row', row: 3, messages: tinyRows[2]?.messages }]);
    const none = await namesake(['inspect', 'rows', '--recipe', recipe, '--row', '7', '--json'], { home });
    expect(errorCode(none, 2)).toBe('usage.invalid');
    expect(none.events[0]?.['message']).toContain('6 rows');
  });

  it('gives rows without a system text the recipe’s own', async () => {
    const home = temporaryFolder();
    const source = writeJsonLines(join(home, 'mixed.jsonl'), [tinyRows[0], { messages: [{ role: 'system', content: 'mine' }, ...(tinyRows[1]?.messages ?? [])] }]);
    const recipe = writeRecipe(home, { data: { source, max_length: 256, systems: ['ours'] } });
    const rows = eventsOf(await namesake(['inspect', 'rows', '--recipe', recipe, '--json'], { home }), 'row');
    expect(rows.map(({ messages }) => (messages as object[])[0])).toEqual([
      { role: 'system', content: 'ours' },
      { role: 'system', content: 'mine' },
    ]);
  });
});

describe('inspect tokens', () => {
  it('gives Python’s ids and labels, and the pieces, before packing and shuffling', async () => {
    const home = temporaryFolder();
    const golden = readLines<{ messages: unknown; add_generation_prompt: boolean; ids: number[]; labels: number[] }>(fixture('golden/tokenizer/tiny_chats.jsonl')).filter(
      (line) => !line.add_generation_prompt,
    );
    const source = writeJsonLines(join(home, 'chats.jsonl'), golden.map(({ messages }) => ({ messages })));
    const recipe = writeRecipe(home, { data: { source, max_length: 4096 }, batch_tokens: 4096 });
    const result = await namesake(['inspect', 'tokens', '--recipe', recipe, '--json'], { home });
    const tokens = eventsOf(result, 'tokens');
    expect(result).toMatchObject({ code: 0 });
    expect(tokens).toHaveLength(golden.length);
    tokens.forEach((line, i) => {
      expect(Object.keys(line)).toEqual(['event', 'row', 'ids', 'labels', 'pieces', 'kind']);
      expect(line).toMatchObject({ row: i + 1, ids: golden[i]?.ids, labels: golden[i]?.labels, kind: 'imported' });
      expect(line['pieces']).toHaveLength(golden[i]?.ids.length ?? 0);
    });
  });

  it('refuses a row over max_length with its number', async () => {
    const home = temporaryFolder();
    const source = writeJsonLines(join(home, 'long.jsonl'), [tinyRows[0], { messages: [{ role: 'user', content: 'x'.repeat(300) }, { role: 'assistant', content: 'y' }] }]);
    const result = await namesake(['inspect', 'tokens', '--recipe', writeRecipe(home, { data: { source, max_length: 200 } }), '--json'], { home });
    expect(errorCode(result)).toBe('rows.too_long');
    expect(result.events[0]?.['message']).toMatch(/\b2\b/);
  });

  it('has no rows to show of format: tokens', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'golden.json'), JSON.stringify(goldenRecipe));
    expect(errorCode(await namesake(['inspect', 'tokens', '--recipe', join(home, 'golden.json'), '--json'], { home }))).toBe('recipe.unsupported');
  });
});

describe('inspect model', () => {
  it('tells what the file is', async () => {
    const home = temporaryFolder();
    const model = lastEvent(await namesake(['inspect', 'model', 'tests/fixtures/tiny-llama.gguf', '--json'], { home }));
    expect(model).toMatchObject({ event: 'result', ref: tinyModel, path: tinyModel, architecture: 'llama', layers: 2, vocab: 323, blocks: { q4_1: 5 } });
    expect(model['template']).toContain('<|im_start|>assistant\n');
    expect(model['sha256']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('forces an instruction set, and says when there is none of that name', async () => {
    const home = temporaryFolder();
    const inspect = (isa: string) => namesake(['inspect', 'model', tinyModel, '--json'], { home, env: { NAMESAKE_ISA: isa } });
    expect(lastEvent(await inspect('scalar'))).toMatchObject({ isa: 'scalar' });
    expect(errorCode(await inspect(process.arch === 'x64' ? 'neon' : 'avx2'))).toBe('isa.unsupported');
    expect(errorCode(await inspect('pentium'))).toBe('isa.unsupported');
  });
});

describe('inspect logits', () => {
  it('writes what PyTorch computes, with and without an adapter', async () => {
    const home = temporaryFolder();
    const golden = (name: string) => readTensor(fixture('golden/tiny-llama/golden.safetensors'), name);
    const ids = [...golden('input_ids').values].slice(0, 19);
    const out = join(home, 'logits.safetensors');
    for (const [name, args] of [['logits_base', []], ['logits', ['--adapter', fixture('golden/tiny-llama/adapter')]]] as const) {
      const result = await namesake(['inspect', 'logits', '--model', tinyModel, '--tokens', ids.join(','), '--out', out, '--json', ...args], { home });
      expect(lastEvent(result)).toEqual({ event: 'result', out, shape: [19, 323] });
      const { shape, values } = readTensor(out, 'logits');
      expect(shape).toEqual([19, 323]);
      // Measured: 6.4e-7.
      expect(relativeL2(values, golden(name).values.subarray(0, 19 * 323))).toBeLessThan(1e-4);
    }
  });

  it('refuses ids that the model lacks, more than it can hold, and a place where nothing can be written', async () => {
    const home = temporaryFolder();
    const logits = (tokens: string, out: string) => namesake(['inspect', 'logits', '--model', tinyModel, '--tokens', tokens, '--out', out, '--json'], { home });
    expect(errorCode(await logits('1,323', join(home, 'x')))).toBe('rows.invalid');
    expect(errorCode(await logits('1,99999999999', join(home, 'x')))).toBe('rows.invalid');
    expect(errorCode(await logits(Array(600).fill(1).join(','), join(home, 'x')))).toBe('context.overflow');
    expect(errorCode(await logits('1,2', join(home, 'no', 'x')))).toBe('disk.unwritable');
    expect(() => readFileSync(join(home, 'x'))).toThrow(/ENOENT/);
  });
});
