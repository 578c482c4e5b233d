// Trash: deleted runs until they can no longer be brought back, and folders that belong to no run. The database changes
// first where something goes and last where it comes back: a kill in between leaves what the next service sets right.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import { onDisk, removeWhole, renameWhole } from '../disk.ts';
import type { Home, RunFolder } from '../home.ts';
import type { RunStore } from '../store/runs.ts';
import { savedSteps } from './recovery.ts';
import { whileFree } from './trainer-lock.ts';

/** What runs are called, and what a removal that was cut off calls them: a home may be a folder with others' things in it. */
const RUN_NAME = /^\d{8}-\d{6}-[0-9a-f]{6}$/;
const LEFT_OF_RUN = /^\d{8}-\d{6}-[0-9a-f]{6}\.old$/;

/** How long a deleted run can be brought back. */
export const UNDELETE_MS = 10 * 60_000;

function move(from: string, to: string, parent: string): void {
  if (!existsSync(from)) return;
  onDisk(parent, () => mkdirSync(parent, { recursive: true }));
  try {
    renameWhole(from, to);
  } catch (error) {
    // Another process may have done the same.
    if (existsSync(from)) throw error;
  }
}

/** Moves a run to the trash. Throws run.unknown, or run.active where it goes on in any process. */
export function moveToTrash(home: Home, store: RunStore, id: string): void {
  if (!store.markDeleted(id, new Date())) throw new NamesakeError('run.active', id, { run: id });
  move(home.run(id).folder, join(home.trash, id), home.trash);
}

/** Brings a run back that was deleted a short while ago. Throws run.unknown. */
export function bringBack(home: Home, store: RunStore, id: string): void {
  const at = store.deleted().get(id);
  if (at === undefined || Date.now() - at.getTime() > UNDELETE_MS) throw new NamesakeError('run.unknown', id, { run: id });
  const { folder } = home.run(id);
  if (!existsSync(folder)) move(join(home.trash, id), folder, home.runs);
  store.markUndeleted(id);
}

function namesIn(folder: string): string[] {
  return onDisk(folder, () => (existsSync(folder) ? readdirSync(folder) : []));
}

/** Removes runs whose removal was cut off. */
function sweep(folder: string): void {
  for (const name of namesIn(folder)) {
    if (LEFT_OF_RUN.test(name)) onDisk(folder, () => rmSync(join(folder, name), { recursive: true, force: true }));
  }
}

/** Removes what was deleted long enough ago, and finishes what a kill left half-done. Meanwhile others may delete and bring back. */
function emptyTrash(home: Home, store: RunStore): void {
  for (const id of store.deleted().keys()) {
    // A removal takes its time: what is true of the next one is asked again.
    const at = store.deleted().get(id);
    if (at === undefined) continue;
    const inTrash = join(home.trash, id);
    move(home.run(id).folder, inTrash, home.trash);
    if (Date.now() - at.getTime() <= UNDELETE_MS) continue;
    removeWhole(inTrash);
    store.forget(id);
  }
  sweep(home.trash);
  for (const id of namesIn(home.trash)) {
    if (!RUN_NAME.test(id)) continue;
    const run = store.known().get(id);
    if (run !== undefined && run.deleted !== null) continue;
    // A run that is not deleted: a power cut took that back, or a kill came before it was brought back for good.
    if (run !== undefined && !existsSync(home.run(id).folder)) move(join(home.trash, id), home.run(id).folder, home.runs);
    else removeWhole(join(home.trash, id));
  }
}

/** Whether a folder holds no more than a start makes before it writes the recipe. */
function isEmpty(folder: RunFolder): boolean {
  return namesIn(folder.folder).every((name) => join(folder.folder, name) === folder.checkpoints || name.endsWith('.tmp')) && savedSteps(folder).length === 0;
}

/** The recipe of a folder that has one. */
function recipeIn(home: Home, id: string): Recipe | null {
  try {
    return recipeSchema.parse(JSON.parse(readFileSync(home.run(id).recipe, 'utf8')));
  } catch {
    return null;
  }
}

/**
 * Folders of runs that the database does not know: what has checkpoints is taken in as interrupted, what a kill left of a
 * start or of a removal goes. What is no run's is left alone.
 */
function settleFolders(home: Home, store: RunStore): void {
  const unsettled = (): string[] => {
    const known = new Set([...store.known()].flatMap(([id, { status, deleted }]) => (status === 'cancelled' && deleted === null ? [] : [id])));
    return namesIn(home.runs).filter((name) => !known.has(name) && (RUN_NAME.test(name) || LEFT_OF_RUN.test(name)));
  };
  if (unsettled().length === 0) return;
  // A run that is being started has a folder before it has a row.
  whileFree(home, () => {
    sweep(home.runs);
    const known = store.known();
    for (const id of unsettled()) {
      const folder = home.run(id);
      const recipe = recipeIn(home, id);
      const steps = savedSteps(folder);
      if (known.has(id)) removeWhole(folder.folder);
      else if (recipe !== null && steps.length > 0) store.adopt(id, recipe, steps);
      else if (recipe !== null || isEmpty(folder)) removeWhole(folder.folder);
    }
  });
}

/** Sets right what earlier processes left behind. Every service does it when it starts. */
export function tidy(home: Home, store: RunStore): void {
  emptyTrash(home, store);
  settleFolders(home, store);
}
