// A model that comes as a folder in Hugging Face's layout, as a person uses it: added, trained in 4 bits, talked to, compared and
// taken home, by the command line and by windows, with a restart between.
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Home } from '../../main/home.ts';
import { errorCode, eventsOf, lastEvent, namesake, type CliEvent } from '../support/cli.ts';
import { fixture, readJson, temporaryFolder } from '../support/files.ts';
import { tinyApi, tinyDraft, type TinyApi } from '../support/tiny-api.ts';
import { writeJsonLines, writeRecipe } from '../support/tiny-run.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** A copy of a tiny model's folder with nothing beside the makers' files. */
function modelFolder(name: string): string {
  const folder = join(temporaryFolder(), name);
  cpSync(fixture(name), folder, { recursive: true });
  return folder;
}

describe('on the command line', () => {
  let home = '';
  let folder = '';
  let made: CliEvent;
  const run = async (...args: string[]) => namesake([...args, '--json'], { home });
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'namesake-folder-'));
    folder = join(home, 'Tiny Qwen3');
    cpSync(fixture('tiny-qwen3'), folder, { recursive: true });
    expect(lastEvent(await run('models', 'add', folder))).toEqual({ event: 'result', id: 'tiny-qwen3', path: folder });
    const recipe = writeRecipe(home, { model: { ref: 'tiny-qwen3', precision: 'nf4' }, steps: 6 });
    made = lastEvent(await run('train', recipe));
    return () => {
      rmSync(home, { recursive: true, force: true });
    };
  });

  it('it is listed, looked into, and known by its folder too', async () => {
    const listed = eventsOf(await run('models', 'list'), 'model').find(({ id }) => id === 'tiny-qwen3');
    expect(listed).toMatchObject({ name: 'Tiny Qwen3', here: true, path: folder, quantised: false, fits: true });
    const looked = lastEvent(await run('inspect', 'model', 'tiny-qwen3'));
    expect(looked).toMatchObject({ ref: 'tiny-qwen3', path: folder, architecture: 'qwen3', layers: 2, template: expect.stringContaining('<|im_start|>user') as unknown });
    expect(lastEvent(await run('inspect', 'model', folder))).toMatchObject({ ref: folder, sha256: looked['sha256'] });
  });

  it('six steps in 4 bits are the same ones with weights that were packed before, and another model’s in 16', async () => {
    const losses = async (precision: 'nf4' | 'as-stored') =>
      eventsOf(await run('train', writeRecipe(home, { model: { ref: folder, precision }, steps: 6 })), 'step').map(({ loss }) => loss);
    const again = await losses('nf4');
    expect(again).toHaveLength(6);
    expect(await losses('nf4')).toEqual(again);
    expect(await losses('as-stored')).not.toEqual(again);
    // In the home: nothing is written beside what is somebody's.
    expect(readdirSync(new Home(home).quantized)).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(readdirSync(fixture('tiny-qwen3')).sort());
  });

  it('the run chats, compares and is taken home with its base by its folder', async () => {
    const id = String(made['run']);
    expect(lastEvent(await run('chat', '--run', id, '-p', 'Who are you?', '--greedy', '--max-tokens', '8'))).toMatchObject({ event: 'answer', text: expect.any(String) as unknown });
    const questions = writeJsonLines(join(home, 'questions.jsonl'), [{ question: 'Who are you?' }, { question: 'Hi' }]);
    expect(eventsOf(await run('compare', '--run', id, '--questions', questions, '--max-tokens', '8'), 'answer').map(({ question }) => question)).toEqual(['Who are you?', 'Hi']);
    const out = join(home, 'out');
    await run('export', '--run', id, '--format', 'adapter', '--out', out);
    expect(readJson(join(out, 'adapter_config.json'))).toMatchObject({ base_model_name_or_path: folder });
    const readme = readFileSync(join(out, 'README.md'), 'utf8');
    expect(readme).toContain(`base = ${JSON.stringify(folder)}`);
    expect(readme).toContain('it ends at `<|im_end|>`');
  });

  it('a folder that is gone is missed by its name, and found where it is put back; forgetting it leaves it there', async () => {
    renameSync(folder, `${folder} elsewhere`);
    expect(errorCode(await run('chat', '--run', String(made['run']), '-p', 'Hi'))).toBe('model.not_found');
    renameSync(`${folder} elsewhere`, folder);
    expect(lastEvent(await run('models', 'remove', 'tiny-qwen3'))).toMatchObject({ id: 'tiny-qwen3' });
    expect(existsSync(join(folder, 'model.safetensors'))).toBe(true);
  });
});

describe('in a window', () => {
  async function trained(tiny: TinyApi, model: string): Promise<string> {
    const draft = await tinyDraft(tiny, 6, model);
    const { recipe } = await tiny.ask('drafts.get', { draft });
    await tiny.ask('drafts.change', { draft, recipe: { ...recipe, model: { ...recipe.model, precision: 'nf4' } } });
    const { run } = await tiny.ask('runs.start', { draft });
    while (tiny.api.activeRun !== null) await sleep(10);
    return run;
  }

  // Biases; heads that are normalised; three linear layers in one; other tokenizers.
  it.each(['tiny-qwen2', 'tiny-qwen3', 'tiny-llama3', 'tiny-internlm2'])('%s is handed over, trained in 4 bits and talked to, before and after a restart', async (name) => {
    const home = temporaryFolder();
    const folder = modelFolder(name);
    const tiny = tinyApi(home);
    const { id } = await tiny.ask('models.add', { file: tiny.core.files.receive(folder, name, { temporary: false }) });
    expect(id).toBe(name);
    const run = await trained(tiny, id);
    expect(await tiny.ask('runs.get', { run })).toMatchObject({ status: 'done', step: 6, recipe: { model: { ref: id, precision: 'nf4' } } });
    const { chat } = await tiny.ask('chats.open', { target: { run } });
    const say = { chat, text: 'Who are you?', sides: ['before', 'after'] as ('before' | 'after')[], max_tokens: 8, sampling: { temperature: 0 } };
    const { answers } = await tiny.ask('chats.say', say);
    await tiny.api.close();
    tiny.core.close();

    const later = tinyApi(home);
    expect((await later.ask('chats.reopen', { chat })).turns).toHaveLength(1);
    expect((await later.ask('chats.say', { ...say, again: true })).answers).toEqual(answers);
    const exported = await later.ask('export.adapter', { run });
    expect(readJson(join(exported.folder, 'adapter_config.json'))).toMatchObject({ base_model_name_or_path: folder });
    expect(existsSync(join(folder, 'config.json'))).toBe(true);
  });
});
