// Door: what the core can do for a person who sits at this machine.
import { shell } from 'electron';
import { mkdirSync } from 'node:fs';
import { NamesakeError } from '../../shared/errors.ts';
import type { Door } from '../api/door.ts';
import { onDisk } from '../disk.ts';

export const desktopDoor: Door = {
  kind: 'desktop',
  show: async (path) => {
    // A folder of crashes is made by the first crash; a person who looks for it should find it empty.
    onDisk(path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    const failure = await shell.openPath(path);
    if (failure !== '') throw new NamesakeError('door.unsupported', failure);
  },
  offer: (path) => {
    shell.showItemInFolder(path);
    return Promise.resolve(null);
  },
};
