// A home with the services over it, in this process, and the real engine in a host of its own.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startEngine } from '../../main/engine/client.ts';
import { Home } from '../../main/home.ts';
import { ModelService } from '../../main/services/model.ts';
import { RowsService } from '../../main/services/rows.ts';
import { RunService } from '../../main/services/run.ts';
import { openDatabase } from '../../main/store/db.ts';
import { ModelStore } from '../../main/store/models.ts';
import { RunStore } from '../../main/store/runs.ts';
import type { EngineClient } from '../../shared/engine.ts';
import type { RunEvent } from '../../shared/run-events.ts';
import { recipeSchema, type Recipe, type RecipeInput } from '../../shared/recipe.ts';
import { temporaryFolder } from './files.ts';
import { tinyProbes, tinyRecipe, tinyRows, writeJsonLines } from './tiny-run.ts';

export interface TinyHome {
  home: Home;
  store: RunStore;
  models: ModelStore;
  runs: RunService;
  /** What the run service told. */
  events: RunEvent[];
  onEvent: (event: RunEvent) => void;
}

/** A home that goes when the test ends. */
export function tinyHome(folder = temporaryFolder(), engine?: () => EngineClient): TinyHome {
  const { close, ...place } = openHome(folder, engine);
  onTestFinished(close);
  return place;
}

/** A home for several tests: the caller closes it. */
export function openHome(folder: string, engine: () => EngineClient = () => startEngine({ priority: 'normal' })): TinyHome & { close: () => void } {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  const models = new ModelStore(db);
  const store = new RunStore(db);
  const events: RunEvent[] = [];
  const service = new ModelService(home, models, { log: () => undefined, onBytes: () => undefined });
  const runs = new RunService(home, store, service, new RowsService(models), engine);
  const close = (): void => {
    db.close();
  };
  return { home, store, models, runs, events, onEvent: (event) => events.push(event), close };
}

/** A recipe on the small rows with a persona and probes of its own, which cost next to nothing. */
export function evaluatedRecipe(
  folder: string,
  evaluate: NonNullable<RecipeInput['evaluate']>,
  change: Partial<RecipeInput> = {},
  rows: readonly unknown[] = tinyRows,
): Recipe {
  const probes = join(folder, 'probes.json');
  writeFileSync(probes, JSON.stringify(tinyProbes));
  const persona = { owner: 'Ann', name: 'Bo', languages: ['en' as const] };
  return recipeSchema.parse({
    ...tinyRecipe(folder),
    data: { source: writeJsonLines(join(folder, 'probed-rows.jsonl'), rows), max_length: 256, persona },
    checkpoint: {},
    evaluate: { questions: probes, ...evaluate },
    ...change,
  });
}
