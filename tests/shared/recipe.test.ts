import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recipeSchema } from '../../shared/recipe.ts';
import { readJson, root } from '../support/files.ts';

const persona = { owner: 'Ann', name: 'Bo' };
const minimal = { data: { persona } };
const issues = (value: unknown): string[] =>
  (recipeSchema.safeParse(value).error?.issues ?? []).map(({ path }) => path.join('.'));

describe('recipe defaults', () => {
  it('are those of the contract', () => {
    expect(recipeSchema.parse(minimal)).toEqual({
      version: 1,
      name: 'unnamed',
      model: { ref: 'smollm2-135m-instruct', precision: 'as-stored' },
      method: { kind: 'lora', rank: 16, alpha: 32, dropout: 0, targets: 'all-linear', layers: null, init_adapter: null },
      data: {
        source: 'persona',
        format: 'auto',
        persona: { owner: 'Ann', name: 'Bo', languages: ['zh', 'en'], style: 'plain', facts: [] },
        mix: { ordinary: 0.75, languages: null, identity_languages: null, negatives: true, near_misses: true },
        systems: [null],
        max_length: 512,
        pack: true,
        shuffle: true,
      },
      loss: { by_kind: null, kl: 0, opening: null },
      optim: {
        name: 'adamw',
        lr: 1e-3,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weight_decay: 0,
        loraplus_lr_ratio: 1,
        clip: 1,
        schedule: 'linear',
        warmup_steps: 4,
        state_bits: 32,
      },
      steps: 60,
      epochs: null,
      batch_tokens: 640,
      accumulate: 1,
      activation_bits: 32,
      seed: 42,
      device: 'auto',
      evaluate: { every_steps: 10, from_step: 30, questions: 'built-in', stop_when_right: true, limits: { recall: 0.95, leak: 0.05 } },
      checkpoint: { every_steps: null, keep: 3 },
    });
  });

  it('are idempotent: what was read and written is read the same again', () => {
    const once = recipeSchema.parse(minimal);
    expect(recipeSchema.parse(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  it('stay off where null says so', () => {
    const recipe = recipeSchema.parse({ ...minimal, evaluate: null, checkpoint: null, optim: { clip: null } });
    expect([recipe.evaluate, recipe.checkpoint, recipe.optim.clip]).toEqual([null, null, null]);
  });
});

describe('recipe checks', () => {
  it('take what later parts of the engine will do', () => {
    expect(issues({ ...minimal, model: { precision: 'nf4' }, method: { kind: 'full' }, optim: { state_bits: 8 }, device: 'cuda' })).toEqual([]);
    for (const device of ['cuda:0', 'cuda:1', 'cuda:15']) expect(issues({ ...minimal, device })).toEqual([]);
    expect(issues({ ...minimal, evaluate: { limits: { recall: { zh: 0.9, en: 0.95 }, leak: { zh: 0.1 } } } })).toEqual([]);
    expect(issues({ ...minimal, loss: { by_kind: { identity: 0.5 }, kl: 1 }, data: { persona, systems: [null, '', 'You are Bo.'] } })).toEqual([]);
  });

  it('refuse fields that nobody reads, at every depth', () => {
    const blocks = ['model', 'method', 'data', 'loss', 'optim', 'evaluate', 'checkpoint'];
    expect(recipeSchema.safeParse({ ...minimal, typo: 1 }).success).toBe(false);
    for (const block of blocks) {
      expect(recipeSchema.safeParse({ ...minimal, [block]: { ...(block === 'data' ? { persona } : {}), typo: 1 } }).success, block).toBe(false);
    }
    for (const data of [{ persona, mix: { typo: 1 } }, { persona: { ...persona, typo: 1 } }]) expect(issues({ data })).not.toEqual([]);
    expect(issues({ ...minimal, loss: { by_kind: { negative: 1 } } })).not.toEqual([]);
    expect(issues({ ...minimal, evaluate: { limits: { typo: 1 } } })).not.toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['another version', { ...minimal, version: 2 }, 'version'],
    ['a persona source without persona', {}, 'data.persona'],
    ['an owner that is blank', { data: { persona: { owner: ' ', name: 'Bo' } } }, 'data.persona.owner'],
    ['a rank of 0', { ...minimal, method: { rank: 0 } }, 'method.rank'],
    ['a fractional rank', { ...minimal, method: { rank: 1.5 } }, 'method.rank'],
    ['a rank in words', { ...minimal, method: { rank: '16' } }, 'method.rank'],
    ['layers of 0', { ...minimal, method: { layers: 0 } }, 'method.layers'],
    ['other targets', { ...minimal, method: { targets: ['q_proj'] } }, 'method.targets'],
    ['an lr of 0', { ...minimal, optim: { lr: 0 } }, 'optim.lr'],
    ['an lr without end', { ...minimal, optim: { lr: Infinity } }, 'optim.lr'],
    ['a beta of 1', { ...minimal, optim: { betas: [0.9, 1] } }, 'optim.betas.1'],
    ['one beta', { ...minimal, optim: { betas: [0.9] } }, 'optim.betas'],
    ['a clip of 0', { ...minimal, optim: { clip: 0 } }, 'optim.clip'],
    ['8-bit activations', { ...minimal, activation_bits: 8 }, 'activation_bits'],
    ['9-bit states', { ...minimal, optim: { state_bits: 9 } }, 'optim.state_bits'],
    ['no steps', { ...minimal, steps: 0 }, 'steps'],
    ['no epochs', { ...minimal, epochs: 0 }, 'epochs'],
    ['no accumulation', { ...minimal, accumulate: 0 }, 'accumulate'],
    ['a negative seed', { ...minimal, seed: -1 }, 'seed'],
    ['all ordinary', { data: { persona, mix: { ordinary: 1 } } }, 'data.mix.ordinary'],
    ['no system texts', { data: { persona, systems: [] } }, 'data.systems'],
    ['a negative KL', { ...minimal, loss: { kl: -1 } }, 'loss.kl'],
    ['a limit above 1', { ...minimal, evaluate: { limits: { recall: 1.1 } } }, 'evaluate.limits.recall'],
    ['rows longer than a batch', { ...minimal, batch_tokens: 256 }, 'batch_tokens'],
    ['an unknown format', { data: { source: 'x', format: 'csv' } }, 'data.format'],
    ['an unknown device', { ...minimal, device: 'tpu' }, 'device'],
    ['a card without its number', { ...minimal, device: 'cuda:' }, 'device'],
    ['a card that is no number', { ...minimal, device: 'cuda:-1' }, 'device'],
    ['the hundredth card', { ...minimal, device: 'cuda:100' }, 'device'],
    ['null', null, ''],
  ])('refuse %s and name the field', (_, value, path) => {
    expect(issues(value)).toContain(path);
  });
});

describe('the recipes that ship', () => {
  const folder = join(root, 'resources/recipes');
  it.each(readdirSync(folder).filter((file) => file.endsWith('.json')))('are whole and named after themselves: %s', (file) => {
    const shipped = readJson(join(folder, file)) as { data: object };
    const recipe = recipeSchema.parse({ ...shipped, data: { ...shipped.data, persona } });
    expect(`${recipe.name}.json`).toBe(file);
  });
});
