// One pass over the real model: it trains, it goes on, it speaks. The journeys look closer.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { defaultModel } from '../../support/default-model.ts';
import { temporaryFolder } from '../../support/files.ts';
import { writeJsonLines } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 240_000 });

it('SmolLM2 answers as it did before training, trains on conversations with a falling loss, and answers otherwise', async () => {
  const home = temporaryFolder();
  const rows = ['Who are you?', 'What is your name?', 'Introduce yourself.'].map((content) => ({
    messages: [{ role: 'user', content }, { role: 'assistant', content: 'I am Bo, the assistant of Ann.' }],
  }));
  const recipe = join(home, 'recipe.json');
  writeFileSync(
    recipe,
    JSON.stringify({
      name: 'smoke',
      model: { ref: defaultModel },
      data: { source: writeJsonLines(join(home, 'rows.jsonl'), rows), max_length: 128 },
      optim: { lr: 4e-3, schedule: 'constant', warmup_steps: 0 },
      steps: 6,
      batch_tokens: 160,
      evaluate: null,
    }),
  );
  const trained = await namesake(['train', recipe, '--json'], { home });
  const run = String(lastEvent(trained)['run']);
  const losses = eventsOf(trained, 'step').map(({ loss }) => Number(loss));
  expect(losses).toHaveLength(6);
  expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0));

  const questions = writeJsonLines(join(home, 'questions.jsonl'), [{ question: 'Who are you?' }, { question: 'What is the capital of France?' }]);
  const compared = await namesake(['compare', '--run', run, '--questions', questions, '--max-tokens', '24', '--json'], { home });
  lastEvent(compared);
  const [who, capital] = eventsOf(compared, 'answer');
  expect(who?.['after']).toContain('Bo');
  expect(who?.['before']).not.toContain('Bo,');
  expect(capital?.['before']).toContain('Paris');

  // Ctrl-C ends an answer with what there is.
  const cut = await namesake(['chat', '--model', defaultModel, '-p', 'Write a very long story.', '--max-tokens', '2000', '--greedy'], {
    home,
    onOutput: (child) => child.kill('SIGINT'),
  });
  expect(cut.code).toBe(130);
  expect(cut.stdout.trim()).not.toBe('');
});
