// models pull and remove as scripts use them, against a hub on this machine.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { errorCode, lastEvent, namesake, eventsOf } from '../../support/cli.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';
import { hubServer } from '../../support/hub-server.ts';

vi.setConfig({ testTimeout: 60_000 });

const model = readFileSync(fixture('tiny-llama.gguf'));

describe('models pull and remove', () => {
  it.each([{ HF_ENDPOINT: 'http://' }, { HF_ENDPOINT: 'a b' }, { HF_ENDPOINT: 'ftp://x' }, { HF_ENDPOINT: 'https://[x', HF_TOKEN: 't' }, { MODELSCOPE_DOMAIN: '%' }])(
    'an address in the environment that is none is named: %j',
    async (env) => {
      const home = temporaryFolder();
      const [name = ''] = Object.keys(env);
      for (const ref of ['hf:o/n', 'smollm2-135m-instruct']) {
        const result = await namesake(['models', 'pull', ref, '--json'], { home, env });
        expect(errorCode(result)).toBe('download.failed');
        expect(result.stderr).toContain(name);
      }
      lastEvent(await namesake(['models', 'list', '--json'], { home, env }));
    },
  );

  it('fetches from a hub once, works offline afterwards, and removes', async () => {
    const server = await hubServer({ 'o/gated': { files: { 'tiny-f32.gguf': model }, token: 'hf_secret', licence: 'own-terms' } });
    const home = temporaryFolder();
    const env = { HF_ENDPOINT: server.base, HF_TOKEN: 'hf_secret' };
    const run = (args: string[], more = env) => namesake([...args, '--json'], { home, env: more });
    const refused = await run(['models', 'pull', 'hf:o/gated']);
    expect(errorCode(refused)).toBe('model.licence_required');
    expect(lastEvent(refused, 1)['message']).toContain('--accept-licence');
    const pulled = await run(['models', 'pull', 'hf:o/gated', '--accept-licence']);
    const { path, ...rest } = lastEvent(pulled);
    expect(rest).toEqual({ event: 'result', id: 'hf:o/gated', sha256: createHash('sha256').update(model).digest('hex') });
    expect(readFileSync(String(path)).equals(model)).toBe(true);
    expect(pulled.stdout + pulled.stderr + refused.stderr).not.toContain('hf_secret');
    expect(server.fetched()).toMatchObject([{ authorization: undefined }]);

    const before = server.requests.length;
    expect(lastEvent(await run(['inspect', 'model', 'hf:o/gated']))).toMatchObject({ ref: 'hf:o/gated', layers: 2 });
    expect(server.requests).toHaveLength(before);
    const listed = eventsOf(await run(['models', 'list']), 'model').find(({ id }) => id === 'hf:o/gated');
    expect(listed).toMatchObject({ licence: 'own-terms', here: true, path });

    expect(lastEvent(await run(['models', 'remove', 'hf:o/gated']))).toMatchObject({ event: 'result', id: 'hf:o/gated' });
    expect(existsSync(String(path))).toBe(false);
    expect(errorCode(await run(['models', 'remove', 'hf:o/gated']))).toBe('model.unknown');
    expect(readdirSync(join(home, 'models'))).toEqual([]);
  });

  it('lists the files that a REF could mean', async () => {
    const server = await hubServer({ 'o/n': { files: { 'a-f32.gguf': model, 'a-q8_0.gguf': model, 'a-q3_k_m.gguf': model } } });
    const home = temporaryFolder();
    const result = await namesake(['models', 'pull', 'hf:o/n', '--json'], { home, env: { HF_ENDPOINT: server.base } });
    expect(errorCode(result)).toBe('model.ambiguous');
    expect(lastEvent(result, 1)['message']).toMatch(/a-f32\.gguf, a-q8_0\.gguf/);
    const chosen = await namesake(['models', 'pull', 'hf:o/n#a-q8_0.gguf', '--json'], { home, env: { HF_ENDPOINT: server.base } });
    expect(lastEvent(chosen)).toMatchObject({ id: 'hf:o/n#a-q8_0.gguf' });
  });

  it('reads ModelScope where its address says so', async () => {
    const server = await hubServer({ 'o/n': { files: { 'tiny-f32.gguf': model }, licence: 'MIT' } });
    const result = await namesake(['models', 'pull', 'modelscope:o/n', '--json'], { home: temporaryFolder(), env: { MODELSCOPE_DOMAIN: server.base } });
    expect(lastEvent(result)).toMatchObject({ id: 'modelscope:o/n' });
  });
});
