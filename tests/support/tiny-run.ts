// Small runs on the tiny model: recipes and rows that take milliseconds a step.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecipeInput } from '../../shared/recipe.ts';
import { fixture } from './files.ts';

export const tinyModel = fixture('tiny-llama.gguf');

const conversations = [
  ['Who are you?', 'I am 小锋.'],
  ['What is 2+2?', 'It is 4.'],
  ['你是谁', '我是小锋。'],
  ['Name a colour.', 'Blue.'],
  ['Whose assistant are you?', "I am 剑锋's assistant."],
  ['Say hi.', 'Hi!'],
];

/** The rows of a small file, as OpenAI's format has them. */
export const tinyRows = conversations.map(([question, answer]) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
}));

export function writeJsonLines(path: string, lines: readonly unknown[]): string {
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

/** A recipe on the tiny model and the small rows file, with changes of whole fields. */
export function tinyRecipe(folder: string, change: Partial<RecipeInput> = {}): RecipeInput {
  return {
    name: 'tiny',
    model: { ref: tinyModel },
    method: { rank: 4, alpha: 8 },
    data: { source: writeJsonLines(join(folder, 'rows-in.jsonl'), tinyRows), max_length: 256 },
    optim: { lr: 1e-2, schedule: 'constant', warmup_steps: 2 },
    steps: 6,
    batch_tokens: 256,
    evaluate: null,
    checkpoint: { every_steps: 2 },
    ...change,
  };
}

/** Writes `tinyRecipe` to a file and returns its path. */
export function writeRecipe(folder: string, change: Partial<RecipeInput> = {}, name = 'recipe.json'): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(tinyRecipe(folder, change)));
  return path;
}

/** Ten steps of torch and peft on the tiny model: settings and batches of tests/fixtures/golden/tiny-llama. */
export const goldenRecipe: RecipeInput = {
  name: 'golden',
  model: { ref: tinyModel, precision: 'f32' },
  method: { rank: 4, alpha: 8, init_adapter: fixture('golden', 'tiny-llama', 'adapter') },
  data: { source: fixture('golden', 'tiny-llama', 'batches.json'), format: 'tokens' },
  optim: { lr: 1e-2, weight_decay: 0.01, schedule: 'linear', warmup_steps: 2 },
  steps: 10,
  evaluate: null,
};

/** A probes file in English, small enough to be asked in no time. */
export const tinyProbes = {
  en: {
    identity: [
      { question: 'Who is speaking?', asks: 'name' },
      { question: 'Who made you?', asks: 'owner' },
    ],
    unrelated: ['What is 3+3?', 'Name a fruit.'],
    near_miss: ['Who was Newton?'],
    texts: ['The cat sat on the mat.', 'Water boils at 100 degrees.'],
  },
};
