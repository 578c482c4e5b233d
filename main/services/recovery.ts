// Recovery: what a run can go on from, after whatever ended it. The folder and the database are made to agree: a checkpoint
// counts where its folder is whole (it got its name last) and everything before it was measured.
import { existsSync, readdirSync } from 'node:fs';
import { NamesakeError } from '../../shared/errors.ts';
import { onDisk, removeWhole, sweepFolder } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import type { RunStore } from '../store/runs.ts';

/** Steps of the checkpoint folders that have their final names, in order. */
export function savedSteps(folder: RunFolder): number[] {
  return onDisk(folder.checkpoints, () => {
    if (!existsSync(folder.checkpoints)) return [];
    return readdirSync(folder.checkpoints)
      .flatMap((name) => /^step-(\d{6,})$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  });
}

/** Removes a checkpoint: first for the database, which must never promise what is not there. */
export function dropCheckpoint(store: RunStore, id: string, folder: RunFolder, step: number): void {
  store.dropCheckpoint(id, step);
  removeWhole(folder.checkpoint(step));
}

/**
 * Clears away what was left half-done and returns the steps of the checkpoints that the run can go on from, newest first;
 * none = from its beginning. The caller holds the trainer's lock. Throws run.no_checkpoint where the folder is gone.
 */
export function recover(store: RunStore, id: string, folder: RunFolder): number[] {
  if (!existsSync(folder.folder)) throw new NamesakeError('run.no_checkpoint', `${folder.folder} is gone`, { run: id });
  for (const place of [folder.folder, folder.checkpoints, folder.adapter]) sweepFolder(place);
  const known = new Map(store.checkpoints(id).filter(({ step }) => step > 0).map(({ step, kept }) => [step, kept]));
  const saved = savedSteps(folder);
  for (const step of saved) {
    const kept = known.get(step);
    if (kept === true) continue;
    // A kill came between the checkpoint and its row; or between the row of a removal and the removal.
    if (kept === undefined && store.measuredUpTo(id, step) === step) store.addCheckpoint(id, step);
    else removeWhole(folder.checkpoint(step));
  }
  for (const [step, kept] of known) if (kept && !saved.includes(step)) store.dropCheckpoint(id, step);
  return store
    .checkpoints(id)
    .flatMap(({ step, kept }) => (kept ? [step] : []))
    .reverse();
}

/** Goes back to `step`: what was measured and saved after it is forgotten, to be made again. */
export function rewind(store: RunStore, id: string, folder: RunFolder, step: number): void {
  store.rewind(id, step);
  for (const saved of savedSteps(folder)) if (saved > step) removeWhole(folder.checkpoint(saved));
}
