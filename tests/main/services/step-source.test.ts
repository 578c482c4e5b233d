// Steps of a run are those of its plan, in whatever order they are asked for, and a plan of a million steps takes no memory.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { mkdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Home } from '../../../main/home.ts';
import { Random } from '../../../main/pipeline/random.ts';
import { planSteps, stepToBatches, type PackableRow } from '../../../main/pipeline/rows-to-batches.ts';
import { RowsService } from '../../../main/services/rows.ts';
import { readSteps, type StepSource } from '../../../main/services/step-source.ts';
import { writeTokens } from '../../../main/services/token-file.ts';
import { openDatabase } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { recipeSchema, type RecipeInput } from '../../../shared/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

const recipeOf = (change: Partial<RecipeInput>) =>
  recipeSchema.parse({ name: 'steps', data: { source: 'persona', persona: { owner: 'A', name: 'B' }, max_length: 64 }, batch_tokens: 256, ...change });

function rowsOf(count: number): PackableRow[] {
  const random = new Random(3, 'steps');
  return Array.from({ length: count }, (_, i) => {
    const ids = Array.from({ length: 8 + Math.floor(random.next() * 40) }, (_, at) => (at < 5 ? at : Math.floor(random.next() * 300)));
    return { ids, labels: ids.map((id, at) => (at < 6 ? -100 : id)), kind: i % 2 === 0 ? 'identity' : 'ordinary', lang: 'en', origin: 'wizard' };
  });
}

function source(rows: readonly PackableRow[], change: Partial<RecipeInput>): StepSource {
  const home = new Home(temporaryFolder());
  const folder = home.run('a');
  mkdirSync(folder.folder, { recursive: true });
  writeTokens(folder.tokens, rows);
  const service = new RowsService(new ModelStore(openDatabase(home.database)));
  return readSteps({ id: 'a', folder, recipe: recipeOf(change), rows: service });
}

it.each([{ steps: 30 }, { steps: 7, accumulate: 3 }, { epochs: 2.5 }])('are those of the plan, forwards and back: %j', (change) => {
  const rows = rowsOf(40);
  const plan = planSteps(rows, recipeOf(change));
  const steps = source(rows, change);
  expect(steps.count).toBe(plan.length);
  const sizes = plan.flat().map((batch) => batch.reduce((sum, row) => sum + (rows[row]?.ids.length ?? 0), 0));
  expect(steps.tokens).toBe(Math.max(...sizes));
  expect(steps.packed).toBeLessThan(steps.tokens);
  const expected = (step: number) => stepToBatches(plan[step - 1] ?? [], rows, recipeOf(change));
  const random = new Random(1, 'order');
  for (let step = 1; step <= steps.count; step++) expect(steps.batches(step)).toEqual(expected(step));
  for (let i = 0; i < 20; i++) {
    const step = 1 + Math.floor(random.next() * steps.count);
    expect(steps.batches(step)).toEqual(expected(step));
  }
});

it('of a million are not held: memory is that of the rows, and room is planned for whatever may come', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const rows = rowsOf(200);
  collect();
  const before = process.memoryUsage().heapUsed;
  const steps = source(rows, { steps: 1_000_000 });
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  expect(steps).toMatchObject({ count: 1_000_000, tokens: 256, packed: 256 });
  expect(steps.batches(30_000).length).toBe(1);
});

it('that draw millions of rows are not all looked at: they have room for whatever may come', () => {
  const rows = rowsOf(40);
  const many = { steps: 8, batch_tokens: 8192, accumulate: 1024, data: { source: 'persona', persona: { owner: 'A', name: 'B' }, max_length: 64 } };
  expect(source(rows, { ...many, accumulate: 2 }).packed).toBeLessThan(8192);
  expect(source(rows, many)).toMatchObject({ count: 8, tokens: 8192, packed: 8192 });
});

it('need a label', () => {
  const rows = rowsOf(3).map((row) => ({ ...row, labels: row.ids.map(() => -100) }));
  expect(thrownBy(() => source(rows, { steps: 3 })).code).toBe('rows.empty');
});
