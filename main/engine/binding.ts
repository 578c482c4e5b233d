// Binding: the only file that loads the native addon. Loading it is a call, so that an import never fails.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NamesakeError } from '../../shared/errors.ts';
import type { NativeAddon } from './native.d.ts';

const FILE = 'namesake.node';

/** The program's own folder: the nearest one above `here` with a package.json (a checkout, an npm package, an app). */
function rootOf(here: string): string {
  for (let folder = here; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) || folder === dirname(folder)) return folder;
  }
}

/** Where the addon may lie, in order: where NAMESAKE_ADDON says, beside out/ in a packaged app, where a checkout builds it. */
export function addonPlaces(here: string, environment: NodeJS.ProcessEnv): string[] {
  const named = environment['NAMESAKE_ADDON'];
  if (named) return [named];
  // A shared library cannot be opened inside an Electron archive: it lies unpacked beside it.
  const root = rootOf(here).replace(/app\.asar$/, 'app.asar.unpacked');
  return [join(root, FILE), join(root, 'native', 'build', 'release', FILE)];
}

/**
 * Loads the addon from the first place that has it. Throws engine.missing with the places where it is in none, and
 * engine.incompatible where it is there but cannot be loaded (another system, another processor, half a build).
 */
export function loadAddon(environment: NodeJS.ProcessEnv = process.env): { addon: NativeAddon; path: string } {
  const places = addonPlaces(dirname(fileURLToPath(import.meta.url)), environment);
  const path = places.find((place) => existsSync(place));
  if (path === undefined) throw new NamesakeError('engine.missing', `no file ${places.join(' or ')}`);
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    throw new NamesakeError('engine.incompatible', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isAddon(loaded)) throw new NamesakeError('engine.incompatible', `${path} is not this program's addon`);
  return { addon: loaded, path };
}

function isAddon(value: unknown): value is NativeAddon {
  return typeof value === 'object' && value !== null && 'openModel' in value && 'isa' in value;
}
