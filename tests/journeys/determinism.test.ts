// On the default model: the adapter's bytes are the same for 1 and 2 threads, and with and without a kill in the middle.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventsOf, lastEvent, namesake, type CliResult } from '../support/cli.ts';
import { defaultModel } from '../support/default-model.ts';
import { temporaryFolder } from '../support/files.ts';
import { tinyRows, writeJsonLines } from '../support/tiny-run.ts';

it('6 steps are 6 steps', async () => {
  const home = temporaryFolder();
  const recipe = join(home, 'recipe.json');
  writeFileSync(
    recipe,
    JSON.stringify({
      name: 'determinism',
      model: { ref: defaultModel },
      data: { source: writeJsonLines(join(home, 'rows.jsonl'), tinyRows), max_length: 128 },
      steps: 6,
      batch_tokens: 128,
      evaluate: null,
      checkpoint: { every_steps: 3 },
    }),
  );
  const train = (threads: string, onStep: (step: unknown, kill: () => void) => void = () => undefined): Promise<CliResult> =>
    namesake(['train', recipe, '--json', '--threads', threads], {
      home,
      onEvent: (event, child) => {
        if (event.event === 'step') onStep(event['step'], () => child.kill('SIGKILL'));
      },
    });
  const learnt = (result: CliResult): Buffer[] => {
    const folder = join(home, 'runs', String(result.events[0]?.['run']));
    return ['adapter', 'checkpoints/step-000006'].flatMap((place) =>
      readdirSync(join(folder, place))
        .sort()
        .map((name) => readFileSync(join(folder, place, name))),
    );
  };

  const one = await train('1');
  lastEvent(one);
  const two = await train('2');
  lastEvent(two);
  expect(learnt(two)).toEqual(learnt(one));

  const killed = await train('2', (step, kill) => {
    if (step === 4) kill();
  });
  expect(killed.signal).toBe('SIGKILL');
  const run = String(killed.events[0]?.['run']);
  const resumed = await namesake(['runs', 'resume', run, '--json'], { home });
  expect(lastEvent(resumed)).toMatchObject({ run, steps: 6 });
  expect(eventsOf(resumed, 'step').map(({ step }) => step)).toEqual([4, 5, 6]);
  expect(learnt(resumed)).toEqual(learnt(one));
});
