// Wipe: removes all of the user's data from a home. Only what this program made goes, by name: someone may have pointed --home
// at a folder that holds other things too.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onDisk } from '../disk.ts';
import type { Home } from '../home.ts';

const RUN = '\\d{8}-\\d{6}-[0-9a-f]{6}';
const CRASH_FILES = /^(completed|pending|new|reports|attachments|metadata|settings\.dat|CrashpadMetrics.*\.pma)$/;

/** Removes entries of a folder by their names, and the folder itself where nothing else is in it. */
function removeFrom(folder: string, names: RegExp): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (names.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Whether a folder is a browser's profile, as the desktop app has one. */
function isProfile(folder: string): boolean {
  return ['Local State', 'Preferences', 'Local Storage'].some((name) => existsSync(join(folder, name)));
}

/**
 * Removes everything of the home but models (ModelService removes those) and the trainer's lock, which the caller holds. The
 * database is closed. Throws disk.unwritable.
 */
export function wipe(home: Home): void {
  onDisk(home.folder, () => {
    const run = new RegExp(`^${RUN}(\\.(old|tmp).*)?$`);
    removeFrom(home.runs, run);
    removeFrom(home.trash, run);
    for (const folder of [home.downloads, home.exports]) removeFrom(folder, new RegExp(`^${RUN}-adapter(-\\d+)?(\\.zip)?(\\.tmp.*)?$`));
    removeFrom(home.questions, /^[0-9a-f]{16}\.json(\.tmp)?$/);
    removeFrom(home.uploads, /^[0-9a-f]{32}(\.part)?$/);
    removeFrom(home.logs, /^namesake(\.\d)?\.log$/);
    removeFrom(home.crashes, CRASH_FILES);
    if (isProfile(home.windowData)) rmSync(home.windowData, { recursive: true, force: true });
    for (const path of [home.windowState, join(home.folder, 'demo.json'), join(home.folder, 'serve.html')]) rmSync(path, { force: true });
    // Last: as long as it is there, the rest can still be found.
    for (const end of ['-wal', '-shm', '']) rmSync(`${home.database}${end}`, { force: true });
    const models = join(home.folder, 'models');
    removeFrom(join(models, 'own'), /^$/);
    removeFrom(home.quantized, /^namesake-nf4-[0-9a-f]{16}\.bin(\.tmp)?$/);
    removeFrom(join(models, '.uses'), /^\d+-\d+\.json$/);
    removeFrom(models, /^$/);
  });
}
