// A disk that is soon full: a small tmpfs.
import { spawnSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './files.ts';

/** Mounts a tmpfs of `kilobytes` for this test; null where that is not allowed. */
export function mountSmallDisk(kilobytes: number): string | null {
  const folder = temporaryFolder();
  if (process.platform !== 'linux') return null;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder], { stdio: 'ignore' });
  if (status !== 0) return null;
  onTestFinished(() => {
    spawnSync('umount', [folder], { stdio: 'ignore' });
  });
  return folder;
}
