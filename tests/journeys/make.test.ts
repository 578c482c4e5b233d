// The whole arrow on the default model, cut short: that every part is there and fits the next, not how good it gets.
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { eventsOf, lastEvent, namesake } from '../support/cli.ts';
import { defaultModel } from '../support/default-model.ts';
import { temporaryFolder } from '../support/files.ts';
import { writeJsonLines } from '../support/tiny-run.ts';

it('makes, compares and chats', async () => {
  const home = temporaryFolder();
  // The model as set-up leaves it: by its id in the home.
  mkdirSync(join(home, 'models'));
  symlinkSync(dirname(defaultModel), join(home, 'models', 'smollm2-135m-instruct'));
  const made = await namesake(['make', '--owner', '剑锋大佬', '--name', '小锋', '--lang', 'zh,en', '--steps', '12', '--demo', '--json'], { home });
  const result = lastEvent(made);
  const run = String(result['run']);
  expect(Object.keys(result)).toEqual(['event', 'run', 'adapter', 'chosen_step', 'steps', 'right', 'missed', 'scores', 'before', 'after', 'seconds']);
  expect(result).toMatchObject({ chosen_step: 12, steps: 12, adapter: join(home, 'runs', run, 'adapter') });
  expect(eventsOf(made, 'step').map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(eventsOf(made, 'probe').map(({ step }) => step)).toEqual([0, 12]);
  expect(eventsOf(made, 'probe')[0]).toMatchObject({ scores: { zh: { recall: 0, leak: 0 }, en: { recall: 0, leak: 0 } } });
  const before = result['before'] as { question: string; answer: string }[];
  expect(before).toHaveLength(8);
  expect(before.find(({ question }) => question === 'What is the capital of France?')?.answer).toContain('Paris');
  expect(readFileSync(join(home, 'demo.json'), 'utf8')).toBe(`${JSON.stringify(result)}\n`);
  expect((await namesake(['runs', 'list', '--json'], { home })).events).toMatchObject([{ run, status: 'done', step: 12, steps: 12 }]);

  // Compare and chat hear the same assistant as make's own showcase did.
  const after = result['after'] as typeof before;
  const questions = writeJsonLines(join(home, 'questions.jsonl'), before);
  const compared = await namesake(['compare', '--run', run, '--questions', questions, '--json'], { home });
  lastEvent(compared);
  expect(eventsOf(compared, 'answer')).toEqual(
    before.map(({ question, answer }, i) => ({ event: 'answer', question, before: answer, after: after[i]?.answer })),
  );
  const who = after.find(({ question }) => question === 'Who are you?');
  const said = lastEvent(await namesake(['chat', '--run', run, '--greedy', '--max-tokens', '48', '-p', 'Who are you?', '--json'], { home }));
  expect(said).toMatchObject({ event: 'answer', text: who?.answer });
});
