// Serve door: what the core can and cannot do for a person who sits at a browser, maybe elsewhere.
import { NamesakeError } from '../../shared/errors.ts';
import type { Door } from '../api/door.ts';
import type { Core } from '../core.ts';

/** The door of browsers: files are offered for download, and no folder is shown on a machine that nobody sits at. */
export function serveDoor(core: Pick<Core, 'files'>): Door {
  return {
    kind: 'serve',
    show: () => Promise.reject(new NamesakeError('door.unsupported', 'a browser shows no folders of this machine')),
    offer: (path, name) => Promise.resolve(core.files.offer(path, name)),
  };
}
