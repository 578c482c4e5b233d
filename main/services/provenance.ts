// Provenance: what a run was made from, so that it can be explained and repeated.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
