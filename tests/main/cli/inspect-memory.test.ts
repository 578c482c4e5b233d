// inspect memory: the budget that the engine obeys, for models that are here and for those that are not.
import { describe, expect, it, vi } from 'vitest';
import type { MemoryBudget } from '../../../shared/memory.ts';
import { errorCode, lastEvent, namesake } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

async function budgetOf(args: readonly string[], home = temporaryFolder()): Promise<MemoryBudget> {
  const result = await namesake(['inspect', 'memory', '--json', ...args], { home });
  expect(result).toMatchObject({ code: 0 });
  const { event, ...budget } = lastEvent(result);
  expect(event).toBe('result');
  return budget as unknown as MemoryBudget;
}

/** What everything but the peak's two sides adds up to. */
function fixed(budget: MemoryBudget): number {
  const { weights_mapped, weights_resident, adapter, gradients, optimizer, process } = budget;
  return weights_mapped + weights_resident + adapter + gradients + optimizer + process;
}

describe('inspect memory', () => {
  it('prints a budget that adds up', async () => {
    const budget = await budgetOf(['--model', tinyModel, '--max-length', '256', '--rank', '4', '--batch-tokens', '256']);
    expect(budget.total).toBe(fixed(budget) + Math.max(budget.activations + budget.scratch, budget.between_steps));
    expect(budget.optimizer).toBe(2 * budget.adapter);
    expect(budget.gradients).toBe(budget.adapter);
    expect(budget).toMatchObject({ weights_mapped: 102_816, fits: true, recompute: false });
    expect(budget.available).toBeGreaterThan(budget.total);
  });

  it('needs no weights of a catalogue model, in any precision', async () => {
    const home = temporaryFolder();
    const model = ['--model', 'smollm2-135m-instruct', '--rank', '16'];
    const stored = await budgetOf(model, home);
    expect(stored.weights_mapped).toBe(98_362_432);
    // 30 layers of 651,264 values a rank of 16, four bytes each.
    expect(stored.adapter).toBe(19_537_920);
    const upper = await budgetOf([...model, '--layers', '15'], home);
    expect(upper.adapter).toBe(19_537_920 / 2);
    expect(upper.optimizer).toBe(19_537_920);
    expect(upper.activations / stored.activations).toBeCloseTo(0.5, 1);
    const eight = await budgetOf([...model, '--state-bits', '8', '--activation-bits', '16'], home);
    // A byte for four and four of 256 values, but for the B of k and v: 30 layers of 2 times 3,072 values are too small for that.
    const small = 30 * 2 * 3072;
    expect((eight.optimizer / 2 - 4 * small) / (19_537_920 / 4 - small)).toBeCloseTo(1 + 4 / 256, 2);
    // Of 5,883 floats a layer and token, attention's 576 and the 2 times 1,536 of gate and up take half; each once in full for the layer at work.
    expect(eight.activations / stored.activations).toBeCloseTo(1 - (576 + 2 * 1536) / 2 / 5883, 1);
    const whole = await budgetOf([...model, '--precision', 'f32'], home);
    // All 134,515,008 parameters.
    expect(whole.weights_resident - stored.weights_resident).toBe(4 * 134_515_008);
    const half = await budgetOf([...model, '--precision', 'bf16'], home);
    expect(half.weights_resident).toBeGreaterThan(stored.weights_resident);
    expect(half.weights_resident).toBeLessThan(whole.weights_resident);
    const four = await budgetOf([...model, '--precision', 'nf4'], home);
    // 30 layers of 3,538,944 values at 4.127 bits; of the file only the table of embeddings stays.
    expect((8 * (four.weights_resident - stored.weights_resident)) / (30 * 3_538_944)).toBeCloseTo(4.127, 1);
    expect(four.weights_mapped).toBeLessThan(stored.weights_mapped / 2);
    expect(four.total).toBeLessThan(half.total);
  });

  it('takes less when layers are computed again, and more for longer batches and higher ranks', async () => {
    const model = ['--model', tinyModel];
    const plain = await budgetOf(model);
    expect((await budgetOf([...model, '--recompute'])).activations).toBeLessThan(plain.activations);
    expect((await budgetOf([...model, '--max-length', '1280'])).activations).toBeGreaterThan(1.9 * plain.activations);
    expect((await budgetOf([...model, '--rank', '32'])).adapter).toBe(2 * plain.adapter);
  });

  it('says when something does not fit, and computes again before that', async () => {
    const budget = await budgetOf(['--model', tinyModel, '--batch-tokens', '16777216', '--rank', '1024']);
    expect(budget).toMatchObject({ fits: false, recompute: true });
  });

  it('prints words for people', async () => {
    const result = await namesake(['inspect', 'memory', '--model', tinyModel], { home: temporaryFolder(), env: { LC_ALL: 'en' } });
    expect(result.stdout).toMatch(/MB {2}activations\n/);
    expect(result.stdout).toMatch(/It fits\.\n$/);
  });

  it('plans for a card with what the machine has besides, or says why there is none', async () => {
    const result = await namesake(['inspect', 'memory', '--json', '--model', tinyModel, '--device', 'cuda'], { home: temporaryFolder() });
    if (result.code !== 0) expect(errorCode(result, 1)).toMatch(/^gpu\./);
    else expect(lastEvent(result)).toMatchObject({ host: expect.any(Number), host_available: expect.any(Number), fits: true });
  });

  it('refuses by code what it cannot plan', async () => {
    const home = temporaryFolder();
    const refused = async (args: readonly string[]): Promise<string> => errorCode(await namesake(['inspect', 'memory', '--json', ...args], { home }), 1);
    expect(await refused(['--model', 'no-such-model'])).toBe('model.unknown');
    expect(await refused(['--model', tinyModel, '--rank', '1025'])).toBe('recipe.unsupported');
  });
});
