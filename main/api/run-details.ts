// Run details: a run as windows see it, from what the database and the disk have of it.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RunDetails, RunProgress } from '../../shared/api.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { Core } from '../core.ts';

const answersSchema = z.array(z.object({ question: z.string(), answer: z.string() }));
/** What a finished run has to say, of its stored result. */
const resultSchema = z.object({
  right: z.boolean().nullable().default(null),
  missed: z.array(z.string()).default([]),
  before: answersSchema.default([]),
  after: answersSchema.default([]),
});

/** A run's record as lists show it: nothing else of it crosses a door. */
export function summaryOf({ run, name, status, step, steps, created_at, error, chosen_step }: RunSummary): RunSummary {
  return { run, name, status, step, steps, created_at, error, chosen_step };
}

/** Bytes of all files in a folder; 0 where it is gone. */
async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => null);
      return found?.isFile() === true ? found.size : 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Everything about a run. Throws run.unknown. */
export async function runDetails(core: Core, run: string, progress: () => RunProgress | null): Promise<RunDetails> {
  const { folder } = core.home.run(run);
  const bytes_on_disk = await folderBytes(folder);
  // From here on nothing waits: events that were told before are in these figures, and none comes in between.
  const record = core.runs.get(run);
  const { right, missed, before, after } = resultSchema.parse(record.result ?? {});
  return {
    ...summaryOf(record),
    recipe: record.recipe,
    error_detail: record.error_detail,
    ...core.runs.measured(run),
    phase: progress(),
    right,
    missed,
    before,
    after,
    folder,
    bytes_on_disk,
  };
}
