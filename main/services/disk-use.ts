// Disk use: how much of the disk a home takes, by what a person knows of it.
import { join } from 'node:path';
import type { DiskUse } from '../../shared/disk-use.ts';
import { folderBytes } from '../disk.ts';
import type { Home } from '../home.ts';
import { freeDisk } from './doctor.ts';

/** Bytes that the home takes, and what is left. Throws disk.unwritable where it cannot be read. */
export async function diskUse(home: Home): Promise<DiskUse> {
  return {
    runs: folderBytes(home.runs),
    trash: folderBytes(home.trash),
    models: folderBytes(join(home.folder, 'models')),
    exports: folderBytes(home.exports),
    all: folderBytes(home.folder),
    free: await freeDisk(home.folder),
  };
}
