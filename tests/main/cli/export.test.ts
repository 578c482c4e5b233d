// export: a run's adapter as a folder that other programs, and this one, can load.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { errorCode, lastEvent, namesake, type CliResult } from '../../support/cli.ts';
import { tinyModel, tinyProbes, tinyRows, writeJsonLines, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let home = '';
let run = '';
let adapter = '';
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'namesake-export-'));
  const probes = join(home, 'probes.json');
  writeFileSync(probes, JSON.stringify(tinyProbes));
  const recipe = writeRecipe(home, {
    steps: 20,
    data: { source: writeJsonLines(join(home, 'rows.jsonl'), tinyRows), max_length: 256, persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } },
    evaluate: { questions: probes, from_step: 20, stop_when_right: false },
  });
  const result = lastEvent(await namesake(['train', recipe, '--json'], { home }));
  [run, adapter] = [String(result['run']), String(result['adapter'])];
  return () => {
    rmSync(home, { recursive: true, force: true });
  };
});

function exportTo(out: string, ...args: string[]): Promise<CliResult> {
  return namesake(['export', '--run', run, '--format', 'adapter', '--out', out, '--json', ...args], { home });
}

describe('export', () => {
  it('writes the adapter, scores it as the run did, and the files answer as the run does', async () => {
    const out = join(home, 'exported');
    const result = lastEvent(await exportTo(out));
    const names = ['adapter_model.safetensors', 'adapter_config.json', 'README.md'];
    expect(result).toMatchObject({ event: 'result', files: names.map((name) => join(out, name)) });
    for (const name of names.slice(0, 2)) expect(readFileSync(join(out, name))).toEqual(readFileSync(join(adapter, name)));
    const shown = lastEvent(await namesake(['runs', 'show', run, '--json'], { home }));
    expect(result['scores']).toEqual((shown['result'] as { scores: unknown }).scores);
    expect(result['scores']).toMatchObject({ en: {}, retention: {} });

    const say = ['-p', 'Who are you?', '--greedy', '--max-tokens', '12', '--json'];
    const text = async (...args: string[]): Promise<unknown> => lastEvent(await namesake(['chat', ...args, ...say], { home }))['text'];
    expect(await text('--model', tinyModel, '--adapter', out)).toBe(await text('--run', run));
  });

  it('never overwrites', async () => {
    const out = join(home, 'mine');
    mkdirSync(out);
    writeFileSync(join(out, 'README.md'), 'mine');
    expect(errorCode(await exportTo(out))).toBe('export.not_empty');
    expect(readdirSync(out)).toEqual(['README.md']);
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toBe('mine');
  });

  it.each(['merged', 'gguf', 'gguf-adapter', 'ollama'])('refuses %s by a code, and writes nothing', async (format) => {
    const out = join(home, format);
    expect(errorCode(await namesake(['export', '--run', run, '--format', format, '--quant', 'Q8_0', '--out', out, '--json'], { home }))).toBe('export.unsupported');
    expect(existsSync(out)).toBe(false);
  });

  it('says what is missing', async () => {
    expect(errorCode(await namesake(['export', '--run', 'none', '--format', 'adapter', '--out', join(home, 'x'), '--json'], { home }))).toBe('run.unknown');
    expect(errorCode(await namesake(['export', '--run', run, '--format', 'else', '--out', join(home, 'x'), '--json'], { home }), 2)).toBe('usage.invalid');
    expect(errorCode(await namesake(['export', '--run', run, '--format', 'adapter', '--json'], { home }), 2)).toBe('usage.invalid');
    expect(existsSync(join(home, 'x'))).toBe(false);
  });
});
