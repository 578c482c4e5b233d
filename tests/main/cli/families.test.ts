// Every family, as a folder in Hugging Face's layout and as a GGUF file: opens, learns, talks, and both say the same.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { lastEvent, namesake } from '../../support/cli.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';

vi.setConfig({ testTimeout: 120_000 });

/** The modules that peft puts an adapter of all linear layers on. */
const separate = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const families: [name: string, modules: string[]][] = [
  ['tiny-llama3', separate],
  ['tiny-mistral', separate],
  ['tiny-qwen2', separate],
  ['tiny-qwen3', separate],
  ['tiny-internlm2', ['wqkv', 'wo', 'w1', 'w3', 'w2']],
];

it.each(families)('%s', async (name, modules) => {
  const home = temporaryFolder();
  const folder = fixture(name);
  const told = lastEvent(await namesake(['inspect', 'model', folder, '--json'], { home }));
  expect(told).toMatchObject({ path: folder, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string });

  const ask = async (...of: string[]): Promise<unknown> =>
    lastEvent(await namesake(['chat', ...of, '-p', 'Who are you?', '--greedy', '--max-tokens', '12', '--json'], { home }))['text'];
  const said = await ask('--model', folder);
  // Mistral is a Llama to GGUF, which has one already.
  const file = fixture(`${name}.gguf`);
  expect(existsSync(file)).toBe(name !== 'tiny-mistral');
  if (existsSync(file)) expect(await ask('--model', file)).toBe(said);

  const made = lastEvent(await namesake(['make', '--owner', 'Ann', '--name', 'Bo', '--lang', 'en', '--model', folder, '--steps', '24', '--json'], { home }));
  expect(made).toMatchObject({ steps: 24, chosen_step: 24 });
  const adapter = JSON.parse(readFileSync(join(String(made['adapter']), 'adapter_config.json'), 'utf8')) as object;
  expect(adapter).toMatchObject({ base_model_name_or_path: folder, target_modules: modules });
  const run = String(made['run']);
  expect(await ask('--run', run)).not.toBe(said);
  expect(await ask('--run', run, '--base')).toBe(said);
});
