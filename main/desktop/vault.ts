// Vault: tokens sealed by the system's keychain. Where the system has none worth the name, nothing is sealed.
import { safeStorage } from 'electron';
import type { Vault } from '../vault.ts';

/** On Linux without a keyring Electron "encrypts" with a key that everyone knows: that is not keeping a secret. */
async function keepsSecrets(): Promise<boolean> {
  if (process.platform === 'linux' && ['basic_text', 'unknown'].includes(safeStorage.getSelectedStorageBackend())) return false;
  return safeStorage.isAsyncEncryptionAvailable();
}

/** The system's keychain. Only after the app is ready. */
export class KeychainVault implements Vault {
  async seal(text: string): Promise<string | null> {
    try {
      return (await keepsSecrets()) ? (await safeStorage.encryptStringAsync(text)).toString('base64') : null;
    } catch {
      // A keyring that was locked or went away.
      return null;
    }
  }

  async open(sealed: string): Promise<string | null> {
    try {
      return (await keepsSecrets()) ? (await safeStorage.decryptStringAsync(Buffer.from(sealed, 'base64'))).result : null;
    } catch {
      // Another key, or another machine: the token is asked for again.
      return null;
    }
  }
}
