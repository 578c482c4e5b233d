// A hundred kills (-9) of the program or its engine at random moments of runs on the tiny model, and three on the default
// model: every run ends with the bytes of the undisturbed one, and no step is lost or doubled.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Random } from '../../main/pipeline/random.ts';
import { defaultModel } from '../support/default-model.ts';
import { temporaryFolder } from '../support/files.ts';
import { killedRecipe, outcome, torture } from '../support/kills.ts';
import { tinyRows, writeJsonLines } from '../support/tiny-run.ts';

/** NAMESAKE_KILL_SEED repeats the moments of an earlier time, as far as the machine is as fast. */
const seed = Number(process.env['NAMESAKE_KILL_SEED'] ?? Date.now() % 1_000_000);

async function survive(home: string, recipe: string, kills: number, perRun: number): Promise<void> {
  const random = new Random(seed, 'kills');
  const began = performance.now();
  const { run: whole } = await torture({ home, recipe, milliseconds: 0, random }, 0);
  const milliseconds = performance.now() - began;
  let runs = 0;
  let killed = 0;
  for (; killed < kills; runs++) {
    const tortured = await torture({ home, recipe, milliseconds, random }, Math.min(perRun, kills - killed));
    killed += tortured.killed;
    expect(outcome(home, tortured.run), `seed ${seed}, run ${runs + 1}`).toEqual(outcome(home, whole));
  }
  process.stdout.write(`seed ${seed}: ${killed} kills over ${runs} runs of ${Math.round(milliseconds)} ms\n`);
}

it('a hundred kills on the tiny model', async () => {
  const home = temporaryFolder();
  await survive(home, killedRecipe(home), 100, 5);
});

it('three kills on the default model', async () => {
  const home = temporaryFolder();
  const recipe = join(home, 'recipe.json');
  writeFileSync(
    recipe,
    JSON.stringify({
      name: 'kills',
      model: { ref: defaultModel },
      data: { source: writeJsonLines(join(home, 'rows.jsonl'), tinyRows), max_length: 128 },
      steps: 8,
      batch_tokens: 128,
      evaluate: null,
      checkpoint: { every_steps: 2, keep: 2 },
    }),
  );
  await survive(home, recipe, 3, 3);
});
