// Tokens: sealed where the system can, in memory otherwise, and sent to their own host only.
import { readFileSync } from 'node:fs';
import { onTestFinished, expect, it } from 'vitest';
import { openDatabase } from '../../../main/store/db.ts';
import { SettingsStore } from '../../../main/store/settings.ts';
import { Home } from '../../../main/home.ts';
import { SettingsService } from '../../../main/services/settings.ts';
import { Tokens } from '../../../main/services/tokens.ts';
import type { Vault } from '../../../main/vault.ts';
import { settingsSchema } from '../../../shared/settings.ts';
import { temporaryFolder } from '../../support/files.ts';

/** A keychain that turns texts around, and can be locked. */
class TestVault implements Vault {
  locked = false;

  async seal(text: string): Promise<string | null> {
    return this.locked ? null : `sealed:${[...text].reverse().join('')}`;
  }

  async open(sealed: string): Promise<string | null> {
    return this.locked ? null : [...sealed.slice('sealed:'.length)].reverse().join('');
  }
}

function store(folder = temporaryFolder()): { store: SettingsStore; home: Home } {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  onTestFinished(() => {
    db.close();
  });
  return { store: new SettingsStore(db), home };
}

const defaults = settingsSchema.parse({});
const tokensSent = (tokens: Tokens, env: NodeJS.ProcessEnv = {}): Record<string, string | null> =>
  Object.fromEntries(tokens.hubs(defaults, env).map(({ base, token }) => [new URL(base).host, token]));

it('a sealed token is there again in the next process, and stands nowhere as it is', async () => {
  const { store: kept, home } = store();
  const vault = new TestVault();
  expect(await new Tokens(kept, vault).set('huggingface', 'hf_geheim')).toBe('encrypted');
  const next = new Tokens(kept, vault);
  expect(tokensSent(next)['huggingface.co']).toBeNull();
  await next.load();
  expect(tokensSent(next)).toEqual({ 'huggingface.co': 'hf_geheim', 'hf-mirror.com': null, 'www.modelscope.cn': null });
  for (const end of ['', '-wal']) expect(readFileSync(`${home.database}${end}`).includes('hf_geheim')).toBe(false);
  expect(new SettingsService(kept).get()).toEqual(defaults);
});

it('without a keychain, or with one that is locked, it lives as long as the program', async () => {
  const { store: kept } = store();
  const locked = new TestVault();
  locked.locked = true;
  for (const vault of [null, locked]) {
    const tokens = new Tokens(kept, vault);
    expect(await tokens.set('modelscope', 'ms')).toBe('memory');
    expect(tokensSent(tokens)['www.modelscope.cn']).toBe('ms');
    const next = new Tokens(kept, vault);
    await next.load();
    expect(tokensSent(next)['www.modelscope.cn']).toBeNull();
  }
});

it('null forgets it, on the disk too', async () => {
  const { store: kept } = store();
  const vault = new TestVault();
  const tokens = new Tokens(kept, vault);
  await tokens.set('huggingface', 'a');
  expect(await tokens.set('huggingface', null)).toBe('none');
  const next = new Tokens(kept, vault);
  await next.load();
  for (const each of [tokens, next]) expect(tokensSent(each)['huggingface.co']).toBeNull();
});

it('hosts come in the order of the settings, an own endpoint first, and tokens of the environment stay with their host', async () => {
  const tokens = new Tokens(store().store, null);
  await tokens.set('huggingface', 'mine');
  const settings = { ...defaults, sources: ['modelscope' as const, 'huggingface' as const], endpoint: 'https://models.example/hf/' };
  const env = { HF_ENDPOINT: 'https://other.example', HF_TOKEN: 'theirs' };
  expect(tokens.hubs(settings, env).map(({ base, token }) => [base, token])).toEqual([
    ['https://models.example/hf', null],
    ['https://www.modelscope.cn', null],
    ['https://huggingface.co', 'mine'],
  ]);
  expect(tokensSent(tokens, env)).toMatchObject({ 'other.example': 'theirs', 'huggingface.co': 'mine', 'hf-mirror.com': null });
});

it('an own endpoint that is the environment’s, or Hugging Face itself, is asked with the token that is meant for it', async () => {
  const tokens = new Tokens(store().store, null);
  await tokens.set('huggingface', 'mine');
  const env = { HF_ENDPOINT: 'https://other.example/hf', HF_TOKEN: 'theirs' };
  const own = (endpoint: string): string | null => tokens.hubs({ ...defaults, endpoint }, env)[0]?.token ?? null;
  expect(own('https://other.example/hf/')).toBe('theirs');
  expect(own('https://OTHER.example/hf')).toBe('theirs');
  expect(own('https://huggingface.co/')).toBe('mine');
  for (const other of ['https://other.example', 'http://other.example/hf', 'https://other.example:8443/hf', 'https://hf.other.example/hf']) expect(own(other), other).toBeNull();
});

it('says how each token is kept, and never the token', async () => {
  const { store: kept } = store();
  const vault = new TestVault();
  const tokens = new Tokens(kept, vault);
  const how = async (one = tokens, env: NodeJS.ProcessEnv = {}): Promise<string[]> => [await one.kept('huggingface', env), await one.kept('modelscope', env)];
  expect(await how()).toEqual(['none', 'none']);
  expect(await how(tokens, { HF_TOKEN: 'hf' })).toEqual(['environment', 'none']);
  await tokens.set('huggingface', 'hf');
  vault.locked = true;
  await tokens.set('modelscope', 'ms');
  expect(await how(tokens, { HF_TOKEN: 'hf' })).toEqual(['encrypted', 'memory']);
  vault.locked = false;
  expect(await how(new Tokens(kept, vault))).toEqual(['encrypted', 'none']);
  await tokens.set('huggingface', null);
  expect(await how()).toEqual(['none', 'memory']);
});
