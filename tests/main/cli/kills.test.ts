// A few kills at random moments; tests/journeys/kills.test.ts has the hundred.
import { expect, it } from 'vitest';
import { Random } from '../../../main/pipeline/random.ts';
import { temporaryFolder } from '../../support/files.ts';
import { killedRecipe, outcome, torture } from '../../support/kills.ts';

it('a run that is killed at random moments, again and again, ends as if nothing had been', { timeout: 120_000 }, async () => {
  const home = temporaryFolder();
  const recipe = killedRecipe(home);
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed, 'kills');
  const began = performance.now();
  const { run: whole } = await torture({ home, recipe, milliseconds: 0, random }, 0);
  const milliseconds = performance.now() - began;
  for (let killed = 0; killed < 8; ) {
    const tortured = await torture({ home, recipe, milliseconds, random }, 4);
    killed += tortured.killed;
    expect(outcome(home, tortured.run), `seed ${seed}`).toEqual(outcome(home, whole));
  }
});
