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

const modelOfProvenance = z.object({ model: z.object({ file: z.string(), sha256: z.string() }) });

/**
 * Refuses to go on with a run on another model file than it began with: its adapter would not fit, without an error.
 * Throws adapter.mismatch, or checkpoint.invalid where provenance.json is damaged.
 */
export function checkSameModel(folder: RunFolder, model: LocalModel): void {
  let began: z.infer<typeof modelOfProvenance>['model'];
  try {
    began = modelOfProvenance.parse(JSON.parse(readFileSync(folder.provenance, 'utf8'))).model;
  } catch (error) {
    throw new NamesakeError('checkpoint.invalid', `${folder.provenance}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (began.sha256 !== model.sha256) {
    throw new NamesakeError('adapter.mismatch', `the run began on ${began.file} (sha256 ${began.sha256}); ${model.path} has ${model.sha256}`);
  }
}
