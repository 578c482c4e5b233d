// The default model computes what transformers and peft compute on the same dequantised weights.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventsOf, lastEvent, namesake } from '../support/cli.ts';
import { defaultModel } from '../support/default-model.ts';
import { fixture, readJson, temporaryFolder } from '../support/files.ts';
import { largestDifference, readTensor, relativeL2 } from '../support/safetensors.ts';

interface Expected {
  method: object;
  optim: object;
  steps: number;
  lrs: number[];
  losses: number[];
  grad_norms: number[];
}

it('logits of a prompt at precision f32', async () => {
  const home = temporaryFolder();
  const golden = fixture('golden/smollm2-135m/logits.safetensors');
  const ids = [...readTensor(golden, 'input_ids').values];
  const expected = readTensor(golden, 'logits');
  const out = join(home, 'logits.safetensors');
  const args = ['inspect', 'logits', '--model', defaultModel, '--precision', 'f32', '--tokens', ids.join(','), '--out', out, '--json'];
  const [, vocab = 0] = expected.shape;
  expect(lastEvent(await namesake(args, { home }))).toEqual({ event: 'result', out, shape: [ids.length, vocab] });
  const last = readTensor(out, 'logits').values.subarray(-expected.values.length);
  const error = relativeL2(last, expected.values);
  // Measured: 3.1e-6 on AVX-512.
  expect(error).toBeLessThan(1e-3);
});

it('twenty steps from a given adapter: losses, gradient norms, rates', async () => {
  const home = temporaryFolder();
  const adapter = join(home, 'formula');
  execFileSync(process.execPath, [fixture('formula_adapter.mjs'), adapter]);
  const expected = readJson(fixture('golden/smollm2-135m/train_expected.json')) as Expected;
  const recipe = join(home, 'recipe.json');
  writeFileSync(
    recipe,
    JSON.stringify({
      name: 'parity',
      model: { ref: defaultModel, precision: 'f32' },
      method: { ...expected.method, init_adapter: adapter },
      data: { source: fixture('golden/smollm2-135m/train.json'), format: 'tokens' },
      optim: expected.optim,
      steps: expected.steps,
      evaluate: null,
      checkpoint: null,
    }),
  );
  const result = await namesake(['train', recipe, '--json'], { home });
  lastEvent(result);
  const steps = eventsOf(result, 'step');
  const of = (key: string): number[] => steps.map((step) => Number(step[key]));
  const relative = of('grad_norm').map((norm, i) => norm / (expected.grad_norms[i] ?? NaN) - 1);
  // Measured: losses 3.2e-5, norms 5.6e-5 on AVX-512.
  expect(largestDifference(of('loss'), expected.losses)).toBeLessThan(2e-3);
  expect(Math.max(...relative.map(Math.abs))).toBeLessThan(1e-2);
  expect(largestDifference(of('lr'), expected.lrs)).toBeLessThan(1e-9);
});
