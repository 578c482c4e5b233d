// Licences: the program's own and those of everything that is bundled with it, as they lie beside it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../resources.ts';

const FILES = [['LICENSE'], ['out', 'main', 'LICENSES.md'], ['out', 'renderer', 'LICENSES.md'], ['native', 'third_party', 'yyjson', 'LICENSE']];

/** The texts, one after the other; what was not built yet is left out. */
export function licences(): string {
  return FILES.map((parts) => join(packageRoot, ...parts))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim())
    .join('\n\n---\n\n');
}
