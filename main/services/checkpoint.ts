// Checkpoint: whether the files of a saved step are still those that were saved.
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFolder } from '../home.ts';
import type { RunStore } from '../store/runs.ts';

/** sha256 over names and contents of a folder's files. Throws the file system's error where one cannot be read. */
export async function folderSha256(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    hash.update(`${name}\0`);
    for await (const chunk of createReadStream(join(folder, name), { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** Whether a checkpoint is as it was saved. One whose hash is not known, and cannot be wrong therefore, is. */
export async function isAsSaved(store: RunStore, id: string, folder: RunFolder, step: number): Promise<boolean> {
  const saved = store.checkpointSha256(id, step);
  if (saved === null) return true;
  try {
    return (await folderSha256(folder.checkpoint(step))) === saved;
  } catch {
    return false;
  }
}
