import { beforeEach, expect, test, vi } from 'vitest';
import { KeychainVault } from '../../../main/desktop/vault.ts';

const system = vi.hoisted(() => ({ backend: 'gnome_libsecret', available: true, broken: false }));
vi.mock('electron', async () => {
  const { safeStorage } = await import('../../e2e/standin/system.ts');
  return {
    safeStorage: {
      ...safeStorage,
      getSelectedStorageBackend: () => system.backend,
      isAsyncEncryptionAvailable: () => Promise.resolve(system.available),
      encryptStringAsync: (text: string) => (system.broken ? Promise.reject(new Error('locked')) : safeStorage.encryptStringAsync(text)),
      decryptStringAsync: (sealed: Buffer) => (system.broken ? Promise.reject(new Error('locked')) : safeStorage.decryptStringAsync(sealed)),
    },
  };
});

beforeEach(() => Object.assign(system, { backend: 'gnome_libsecret', available: true, broken: false }));

test('a keychain seals a token and opens it again', async () => {
  const vault = new KeychainVault();
  const sealed = await vault.seal('hf_secret');
  expect(sealed).not.toBeNull();
  expect(Buffer.from(sealed ?? '', 'base64').toString('utf8')).not.toContain('hf_secret');
  expect(await vault.open(sealed ?? '')).toBe('hf_secret');
});

test.runIf(process.platform === 'linux').each(['basic_text', 'unknown'])('%s is no keychain: nothing is sealed', async (backend) => {
  system.backend = backend;
  expect(await new KeychainVault().seal('hf_secret')).toBeNull();
  expect(await new KeychainVault().open('aGk=')).toBeNull();
});

test('without encryption, or with a keychain that is locked, nothing is sealed or opened, and nothing thrown', async () => {
  for (const change of [{ available: false }, { broken: true }]) {
    Object.assign(system, { available: true, broken: false }, change);
    expect(await new KeychainVault().seal('hf_secret')).toBeNull();
    expect(await new KeychainVault().open('aGk=')).toBeNull();
  }
});
