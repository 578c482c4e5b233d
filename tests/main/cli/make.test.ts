// make: the whole arrow on the tiny model. What it learns in three steps is nothing; that it is measured and said is the point.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { scoresSchema } from '../../../shared/run.ts';
import { eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { readJson, readLines, temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 180_000 });

describe('make', () => {
  it('goes from a name to a measured adapter', async () => {
    const home = temporaryFolder();
    const args = ['make', '--owner', '剑锋大佬', '--name', '小锋', '--style', 'warm', '--built-on', 'Tiny', '--fact', 'I like tea', '--fact', '我爱喝茶'];
    const result = await namesake([...args, '--model', tinyModel, '--steps', '3', '--seed', '5', '--device', 'cpu', '--json', '--demo'], { home });
    const last = lastEvent(result);
    const run = String(last['run']);
    expect(result.events[0]).toEqual({ event: 'run', run });
    expect(Object.keys(last)).toEqual(['event', 'run', 'adapter', 'chosen_step', 'steps', 'right', 'missed', 'scores', 'before', 'after', 'seconds']);
    expect(last).toMatchObject({ event: 'result', adapter: join(home, 'runs', run, 'adapter'), chosen_step: 3, steps: 3, right: false });
    expect(scoresSchema.parse(last['scores'])).toEqual({
      zh: { recall: expect.any(Number) as unknown, leak: expect.any(Number) as unknown },
      en: { recall: expect.any(Number) as unknown, leak: expect.any(Number) as unknown },
      retention: { kl: expect.any(Number) as unknown, perplexity_ratio: expect.any(Number) as unknown },
    });
    const [before, after] = [last['before'], last['after']] as { question: string; answer: string }[][];
    expect(before).toHaveLength(8);
    expect(after?.map(({ question }) => question)).toEqual(before?.map(({ question }) => question));
    expect(before?.map(({ question }) => question)).toEqual(expect.arrayContaining(['请介绍一下你自己', 'Who are you?', 'What is the capital of France?']));
    expect(eventsOf(result, 'step').map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(eventsOf(result, 'probe').map(({ step }) => step)).toEqual([0, 3]);
    for (const probe of eventsOf(result, 'probe')) expect(Object.keys(probe)).toEqual(['event', 'step', 'scores']);

    expect(readFileSync(join(home, 'demo.json'), 'utf8')).toBe(`${JSON.stringify(last)}\n`);
    const rows = readLines<{ kind: string; lang: string; origin: string }>(join(home, 'runs', run, 'rows.jsonl'));
    expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(['identity', 'negative', 'near_miss', 'ordinary']));
    expect(new Set(rows.map(({ origin }) => origin))).toEqual(new Set(['wizard', 'base', 'written']));
    expect(readJson(join(home, 'runs', run, 'recipe.json'))).toMatchObject({
      seed: 5,
      steps: 3,
      device: 'cpu',
      model: { ref: tinyModel },
      data: { source: 'persona', persona: { owner: '剑锋大佬', name: '小锋', style: 'warm', built_on: 'Tiny', facts: ['I like tea', '我爱喝茶'] } },
    });

    // The rows of the recipe that it kept are those that it trained on.
    const inspected = await namesake(['inspect', 'rows', '--recipe', join(home, 'runs', run, 'recipe.json'), '--json'], { home });
    expect(eventsOf(inspected, 'row').map(({ event: _event, row: _row, ...row }) => row)).toEqual(rows);
  });

  it('writes the demo’s file for the demo alone, and answers side by side for people', async () => {
    const home = temporaryFolder();
    const result = await namesake(['make', '--owner', 'Ann', '--name', 'Bo', '--lang', 'en', '--model', tinyModel, '--steps', '1'], { home });
    expect(result.code).toBe(0);
    expect(existsSync(join(home, 'demo.json'))).toBe(false);
    const run = readdirSync(join(home, 'runs'))[0] ?? '';
    expect(result.stdout).toContain('» Who are you?');
    expect(result.stdout).toContain(' │ ');
    expect(result.stdout).toContain(join(home, 'runs', run, 'adapter'));
    // Whatever a model says, it says nothing to the terminal itself.
    expect(result.stdout).not.toMatch(/[^\P{Cc}\n]/u);
  });
});
