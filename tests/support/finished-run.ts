// A finished run without training: the golden adapter of the tiny model in its place.
import { cpSync, mkdirSync } from 'node:fs';
import type { Home } from '../../main/home.ts';
import type { RunStore } from '../../main/store/runs.ts';
import { recipeSchema, type RecipeInput } from '../../shared/recipe.ts';
import { fixture } from './files.ts';
import { tinyModel } from './tiny-run.ts';

/** Puts a run that is done into a home and returns its id. */
export function finishedRun(home: Home, runs: RunStore, change: Partial<RecipeInput> = {}, id = '20260101-000000-abcdef'): string {
  runs.create(id, recipeSchema.parse({ name: 'finished', model: { ref: tinyModel }, data: { source: '/rows.jsonl' }, evaluate: null, ...change }));
  runs.setStatus(id, 'running');
  const { folder, adapter } = home.run(id);
  mkdirSync(folder, { recursive: true });
  cpSync(fixture('golden', 'tiny-llama', 'adapter'), adapter, { recursive: true });
  runs.finish(id, 'done', 1, {
    run: id,
    adapter,
    chosen_step: 1,
    steps: 1,
    tokens: 1,
    right: null,
    missed: [],
    scores: null,
    before: [],
    after: [],
    seconds: 1,
  });
  return id;
}
