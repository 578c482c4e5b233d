// Provenance: what a run was made from, so that it can be explained and repeated.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import type { ModelInfo } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { writeWhole } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { packageVersion } from '../resources.ts';
import type { LocalModel } from './model.ts';

/** Writes provenance.json: model and rows by sha256, versions, backend and instruction set. */
export function writeProvenance(folder: RunFolder, model: LocalModel, info: ModelInfo, recipe: Recipe): void {
  const rows = createHash('sha256').update(readFileSync(folder.rows)).digest('hex');
  const { backend, isa, threads, architecture } = info;
  writeWhole(
    folder.provenance,
    `${JSON.stringify(
      {
        namesake: packageVersion(),
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
        model: { ref: recipe.model.ref, file: model.path, sha256: model.sha256, architecture },
        rows_sha256: rows,
        engine: { backend, isa, threads, precision: recipe.model.precision },
        seed: recipe.seed,
      },
      null,
      2,
    )}\n`,
  );
}

const provenanceSchema = z.object({
  model: z.object({ file: z.string(), sha256: z.string() }),
  engine: z.object({ backend: z.string(), isa: z.string() }),
});

/** Throws checkpoint.invalid where provenance.json is damaged. */
function readProvenance(folder: RunFolder): z.infer<typeof provenanceSchema> {
  try {
    return provenanceSchema.parse(JSON.parse(readFileSync(folder.provenance, 'utf8')));
  } catch (error) {
    throw new NamesakeError('checkpoint.invalid', `${folder.provenance}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The engine that a run began with and the present one, where they are not the same: bits then differ. */
export function changeOfEngine(folder: RunFolder, info: Pick<ModelInfo, 'backend' | 'isa'>): { began: string; now: string } | null {
  const { engine } = readProvenance(folder);
  const [began, now] = [engine, info].map(({ backend, isa }) => `${backend} ${isa}`) as [string, string];
  return began === now ? null : { began, now };
}

/**
 * Refuses to go on with a run on another model file than it began with: its adapter would not fit, without an error.
 * Throws adapter.mismatch, or checkpoint.invalid where provenance.json is damaged.
 */
export function checkSameModel(folder: RunFolder, model: LocalModel): void {
  const { model: began } = readProvenance(folder);
  if (began.sha256 !== model.sha256) {
    throw new NamesakeError('adapter.mismatch', `the run began on ${began.file} (sha256 ${began.sha256}); ${model.path} has ${model.sha256}`);
  }
}
