// Trainer lock: one process trains per home. The lock of a process that died is free at once.
import { mkdirSync } from 'node:fs';
import { NamesakeError } from '../../shared/errors.ts';
import { tryLock } from '../../tools/lock.mjs';
import { onDisk } from '../disk.ts';
import type { Home } from '../home.ts';

/** Whether nobody trains in this home; takes and gives back the lock to find out. */
export function isFree(home: Home): boolean {
  const release = tryLock(home.trainerLock);
  release?.();
  return release !== null;
}

/** Runs `body` as the home's trainer. Throws engine.busy when another process is. */
export async function asTrainer<T>(home: Home, body: () => Promise<T>): Promise<T> {
  const release = onDisk(home.folder, () => {
    mkdirSync(home.folder, { recursive: true });
    return tryLock(home.trainerLock);
  });
  if (release === null) throw new NamesakeError('engine.busy', 'another process is training in this home');
  try {
    return await body();
  } finally {
    release();
  }
}
