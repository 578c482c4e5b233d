// Model REFs that come from windows: what a person chose from the list, never a file of this machine.
import { NamesakeError } from '../../shared/errors.ts';
import type { Core } from '../core.ts';

/** Throws model.unknown for anything but a catalogue id, a place on a hub, or the id of a file that was added. */
export function checkModel(core: Core, ref: string): void {
  if (!core.models.knows(ref)) throw new NamesakeError('model.unknown', ref, { ref });
}
