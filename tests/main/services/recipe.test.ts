import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRecipe, recipeForPersona, refuseUnsupported } from '../../../main/services/recipe.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

const persona = { owner: 'a', name: 'b' };
const shipped = 'built-in:smollm2_135m_identity';

function read(value: unknown, settings: string[] = []): ReturnType<typeof readRecipe> {
  const path = join(temporaryFolder(), 'recipe.json');
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return readRecipe(path, settings);
}

describe('readRecipe', () => {
  it('fills in what is missing', () => {
    expect(read({ data: { persona } })).toEqual(recipeSchema.parse({ data: { persona } }));
  });

  it.each<[string, unknown]>([
    ['number', 5],
    ['nothing', null],
    ['persona that is missing', {}],
    ['persona with a brace', { data: { persona: { owner: '{owner}', name: 'b' } } }],
    ['unknown field', { data: { persona }, stepz: 3 }],
    ['unknown field inside', { data: { persona }, optim: { learning_rate: 1 } }],
    ['version from the future', { version: 2, data: { persona } }],
    ['steps of 0', { steps: 0, data: { persona } }],
    ['half a step', { steps: 1.5, data: { persona } }],
    ['steps as text', { steps: '60', data: { persona } }],
    ['negative lr', { optim: { lr: -1 }, data: { persona } }],
    ['lr that is too large', { optim: { lr: 1e9 }, data: { persona } }],
    ['beta of 1', { optim: { betas: [1, 0.9] }, data: { persona } }],
    ['beta alone', { optim: { betas: [0.9] }, data: { persona } }],
    ['clip of 0', { optim: { clip: 0 }, data: { persona } }],
    ['other optimizer', { optim: { name: 'sgd' }, data: { persona } }],
    ['other schedule', { optim: { schedule: 'wavy' }, data: { persona } }],
    ['rank of 0', { method: { rank: 0 }, data: { persona } }],
    ['endless rank', { method: { rank: 1e9 }, data: { persona } }],
    ['other targets', { method: { targets: 'head' }, data: { persona } }],
    ['unknown precision', { model: { precision: 'q2' }, data: { persona } }],
    ['empty model', { model: { ref: '' }, data: { persona } }],
    ['mix of ordinary alone', { data: { persona, mix: { ordinary: 1 } } }],
    ['no system text to draw from', { data: { persona, systems: [] } }],
    ['batch shorter than its rows', { batch_tokens: 100, data: { persona, max_length: 200 } }],
    ['negative weight of a kind', { loss: { by_kind: { identity: -1 } }, data: { persona } }],
    ['weight of an unknown kind', { loss: { by_kind: { other: 1 } }, data: { persona } }],
    ['negative kl', { loss: { kl: -1 }, data: { persona } }],
    ['seed beyond whole numbers', { seed: 1e300, data: { persona } }],
    ['limit above 1', { evaluate: { limits: { recall: 95 } }, data: { persona } }],
    ['limit of an unknown language', { evaluate: { limits: { leak: { fr: 0.1 } } }, data: { persona } }],
    ['evaluation every 0 steps', { evaluate: { every_steps: 0 }, data: { persona } }],
    ['checkpoints of which none is kept', { checkpoint: { keep: 0 }, data: { persona } }],
    ['unknown device', { device: 'tpu', data: { persona } }],
    ['unknown format', { data: { persona, format: 'csv' } }],
    ['endless epochs', { epochs: 1e9, data: { persona } }],
  ])('refuses a %s', (_, value) => {
    const error = thrownBy(() => read(value));
    expect(error.code).toBe('recipe.invalid');
    expect(error.detail).toMatch(/\w/);
  });

  it.each(['', '{', '{"steps": 5,}', '\u0000', 'steps: 5'])('cannot read %j', (text) => {
    const error = thrownBy(() => read(text));
    expect(error.code).toBe('recipe.unreadable');
    expect(error.params['path']).toMatch(/recipe\.json$/);
  });

  it('cannot read a folder or nothing', () => {
    const folder = temporaryFolder();
    expect(thrownBy(() => readRecipe(folder)).code).toBe('recipe.unreadable');
    expect(thrownBy(() => readRecipe(join(folder, 'none'))).code).toBe('recipe.unreadable');
  });

  it('makes paths absolute, and leaves names', () => {
    const recipe = read({ model: { ref: './m.gguf' }, method: { init_adapter: 'a' }, data: { source: 'rows.jsonl' }, evaluate: { questions: 'q.json' } });
    expect(recipe).toMatchObject({
      model: { ref: join(process.cwd(), 'm.gguf') },
      method: { init_adapter: join(process.cwd(), 'a') },
      data: { source: join(process.cwd(), 'rows.jsonl') },
      evaluate: { questions: join(process.cwd(), 'q.json') },
    });
    expect(read({ data: { persona } })).toMatchObject({ model: { ref: 'smollm2-135m-instruct' }, data: { source: 'persona' }, evaluate: { questions: 'built-in' } });
    expect(read({ model: { ref: 'hf:owner/name' }, data: { persona } }).model.ref).toBe('hf:owner/name');
    expect(read({ method: { init_adapter: shipped }, data: { persona } }).method.init_adapter).toBe(shipped);
  });
});

describe('--set', () => {
  const base = { data: { persona }, optim: { lr: 0.1 } };

  it('changes fields, makes objects on the way, and the last one wins', () => {
    expect(read(base, ['data.max_length=1024', 'batch_tokens=2048', 'optim.betas=[0.8,0.99]', 'checkpoint=null', 'name=with = and spaces', 'steps=3', 'steps=4'])).toMatchObject({
      data: { max_length: 1024, persona },
      batch_tokens: 2048,
      optim: { lr: 0.1, betas: [0.8, 0.99] },
      checkpoint: null,
      name: 'with = and spaces',
      steps: 4,
    });
  });

  it.each(['steps', '=5', '.steps=5', 'steps.=5', 'Steps=5', '__proto__.steps=5'])('%j is bad usage', (setting) => {
    expect(thrownBy(() => read(base, [setting])).code).toBe('usage.invalid');
  });

  it.each(['steps=many', 'optim=5', 'optim.speed=1', 'data.persona=null', 'constructor.prototype=5'])('%j is no recipe', (setting) => {
    expect(thrownBy(() => read(base, [setting])).code).toBe('recipe.invalid');
    expect(({} as Record<string, unknown>)['steps']).toBeUndefined();
  });
});

describe('recipeForPersona', () => {
  it('is the shipped recipe with the persona in it', () => {
    const recipe = recipeForPersona('smollm2_135m_qlora_identity', persona, (value) => {
      value['steps'] = 7;
    });
    expect(recipe).toMatchObject({ name: 'a · b', steps: 7, data: { source: 'persona', persona: { owner: 'a', name: 'b', languages: ['zh', 'en'] } } });
  });

  it('refuses a recipe that is not shipped, a persona that is none, and a path', () => {
    const make = (name: string, who = persona) => thrownBy(() => recipeForPersona(name, who, () => undefined)).code;
    expect(make('none')).toBe('recipe.unknown');
    expect(make('../models')).toBe('recipe.unknown');
    expect(make('smollm2_135m_qlora_identity', { owner: '', name: 'b' })).toBe('persona.invalid');
  });
});

it('refuseUnsupported lets today’s recipes pass', () => {
  expect(() => { refuseUnsupported(recipeSchema.parse({ data: { persona }, device: 'reference', model: { precision: 'nf4' } })); }).not.toThrow(); // prettier-ignore
});
