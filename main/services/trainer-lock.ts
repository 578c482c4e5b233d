// Trainer lock: one process trains per home. The lock of a process that died is free at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { NamesakeError } from '../../shared/errors.ts';
import { tryLock } from '../../tools/lock.mjs';
import { diskError, onDisk } from '../disk.ts';
import type { Home } from '../home.ts';

const ATTEMPTS = 10;
const PAUSE_MS = 50;

/** Runs `body` while nobody trains in this home, which cannot begin meanwhile; does nothing where someone trains. */
export function whileFree(home: Home, body: () => void): void {
  const release = onDisk(home.folder, () => tryLock(home.trainerLock));
  if (release === null) return;
  try {
    body();
  } finally {
    release();
  }
}

/** `whileFree` holds the lock for a moment only: it is not taken for a trainer. */
async function takeLock(path: string): Promise<(() => void) | null> {
  for (let attempt = 0; ; attempt++) {
    const release = tryLock(path);
    if (release !== null || attempt === ATTEMPTS) return release;
    await sleep(PAUSE_MS);
  }
}

/** Runs `body` as the home's trainer. Throws engine.busy when another process is. */
export async function asTrainer<T>(home: Home, body: () => Promise<T>): Promise<T> {
  const release = await takeLock(home.trainerLock).catch((error: unknown) => {
    throw diskError(error, home.folder) ?? error;
  });
  if (release === null) throw new NamesakeError('engine.busy', 'another process is training in this home');
  try {
    return await body();
  } finally {
    release();
  }
}
