// What a kill or a power cut can leave at each point of a run's life, made by hand: the run goes on from what is whole, and
// ends as one that was left alone.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import Database from 'better-sqlite3';
import { recover } from '../../../main/services/recovery.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import type { RunFolder } from '../../../main/home.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';
import { temporaryFolder } from '../../support/files.ts';
import { tinyHome, type TinyHome } from '../../support/tiny-home.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const compute = { threads: 1, isa: 'auto' };
const recipeOf = (folder: string): Recipe => recipeSchema.parse({ ...tinyRecipe(folder), steps: 9, checkpoint: { every_steps: 2, keep: 9 } });

interface Paused extends TinyHome {
  run: string;
  folder: RunFolder;
  /** Changes the database behind the program's back. */
  sql: (text: string) => void;
}

/** A run that was paused after step 5: checkpoints 2, 4 and 5. */
async function paused(): Promise<Paused> {
  const place = tinyHome();
  const started = place.runs.start(recipeOf(place.home.folder), compute, (event) => {
    if (event.event === 'step' && event.step === 5) place.runs.pause(place.runs.active ?? '');
  });
  await expect(started).rejects.toMatchObject({ code: 'cancelled' });
  const run = place.store.list()[0]?.run ?? '';
  const db = new Database(place.home.database);
  onTestFinished(() => {
    db.close();
  });
  return { ...place, run, folder: place.home.run(run), sql: (text) => void db.prepare(text).run() };
}

const bytesIn = (folder: string): Buffer[] => readdirSync(folder).sort().map((name) => readFileSync(join(folder, name)));

async function undisturbed(): Promise<{ adapter: Buffer[]; losses: number[] }> {
  const place = tinyHome();
  const { run, adapter } = await place.runs.start(recipeOf(place.home.folder), compute, () => undefined);
  return { adapter: bytesIn(adapter), losses: place.store.metrics(run).map(({ loss }) => loss) };
}

/** Resumes; returns the steps that were trained. The run must end as the undisturbed one. */
async function goesOn(place: Paused, expected: { adapter: Buffer[]; losses: number[] }): Promise<number[]> {
  const steps: number[] = [];
  const { adapter } = await place.runs.resume(place.run, compute, (event) => {
    place.onEvent(event);
    if (event.event === 'step') steps.push(event.step);
  });
  expect(bytesIn(adapter)).toEqual(expected.adapter);
  expect(place.store.metrics(place.run).map(({ loss }) => loss)).toEqual(expected.losses);
  expect(place.store.metrics(place.run).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const kept = place.store.checkpoints(place.run).flatMap(({ step, kept: here }) => (here ? [step] : []));
  expect(readdirSync(place.folder.checkpoints).sort()).toEqual(kept.map((step) => `step-${String(step).padStart(6, '0')}`));
  expect(readdirSync(place.folder.folder).sort()).toEqual(['adapter', 'checkpoints', 'provenance.json', 'recipe.json', 'rows.jsonl', 'tokens.bin']);
  return steps;
}

const corrupt: [string, (folder: string) => void][] = [
  ['adapter_model.safetensors', (path) => truncateSync(path, 100)],
  ['adapter_config.json', (path) => writeFileSync(path, '{')],
  ['optimizer.safetensors', (path) => writeFileSync(path, Buffer.alloc(4096))],
  ['trainer_state.json', (path) => rmSync(path)],
];

describe('a run goes on', () => {
  it('after what a kill can leave at each point', async () => {
    const expected = await undisturbed();
    const cases: [string, (place: Paused) => void, number][] = [
      ['nothing', () => undefined, 6],
      ['a checkpoint without its row', ({ sql }) => sql('DELETE FROM checkpoints WHERE step = 5'), 6],
      ['a checkpoint whose steps a power cut took back', ({ sql }) => { sql('DELETE FROM checkpoints WHERE step = 5'); sql('DELETE FROM metrics WHERE step = 5'); }, 5], // prettier-ignore
      ['a power cut that took all rows back', ({ sql }) => { sql('DELETE FROM checkpoints'); sql('DELETE FROM metrics'); }, 1], // prettier-ignore
      ['a row without its checkpoint', ({ folder }) => rmSync(folder.checkpoint(5), { recursive: true }), 5],
      ['no checkpoint at all', ({ folder }) => rmSync(folder.checkpoints, { recursive: true }), 1],
      ['a removal that is in the database alone', ({ sql }) => sql('UPDATE checkpoints SET kept = 0 WHERE step = 2'), 6],
      ['a removal that is half done', ({ folder, sql }) => { sql('UPDATE checkpoints SET kept = 0 WHERE step = 2'); cpSync(folder.checkpoint(2), `${folder.checkpoint(2)}.old`, { recursive: true }); rmSync(folder.checkpoint(2), { recursive: true }); }, 6], // prettier-ignore
      ['a checkpoint that is half written', ({ folder }) => cpSync(folder.checkpoint(4), `${folder.checkpoint(6)}.tmp`, { recursive: true }), 6],
      ['files that are half written', ({ folder }) => { writeFileSync(`${folder.rows}.tmp`, 'x'); mkdirSync(`${folder.adapter}.tmp`); }, 6], // prettier-ignore
      ['an adapter that is half replaced', ({ folder }) => { cpSync(folder.checkpoint(2), folder.adapter, { recursive: true }); writeFileSync(join(folder.adapter, 'adapter_model.safetensors.tmp'), 'x'); }, 6], // prettier-ignore
      ['going back that is in the database alone', ({ sql }) => { sql('DELETE FROM checkpoints WHERE step > 2'); sql('DELETE FROM metrics WHERE step > 2'); }, 3], // prettier-ignore
      ['a checkpoint of a later step, saved by an engine that outlived its program', ({ folder }) => cpSync(folder.checkpoint(4), folder.checkpoint(8), { recursive: true }), 6],
    ];
    for (const [left, make, from] of cases) {
      const place = await paused();
      make(place);
      expect((await goesOn(place, expected))[0], left).toBe(from);
    }
  });

  it('although an engine that outlived its program saves a checkpoint under its feet', async () => {
    const expected = await undisturbed();
    const place = await paused();
    const copy = join(temporaryFolder(), 'checkpoint');
    cpSync(place.folder.checkpoint(4), copy, { recursive: true });
    const before = place.onEvent;
    place.onEvent = (event) => {
      before(event);
      if (event.event === 'step' && event.step === 7) cpSync(copy, place.folder.checkpoint(8), { recursive: true });
    };
    expect(await goesOn(place, expected)).toEqual([6, 7, 8, 9]);
  });

  it.each(corrupt)('from the checkpoint before one with a damaged %s, and says so', async (name, damage) => {
    const expected = await undisturbed();
    const place = await paused();
    damage(join(place.folder.checkpoint(5), name));
    damage(join(place.folder.checkpoint(4), name));
    expect((await goesOn(place, expected))[0]).toBe(3);
    expect(place.events.filter(({ event }) => event === 'warning')).toEqual([
      { event: 'warning', warning: 'checkpoint_damaged', step: 5, from: 4 },
      { event: 'warning', warning: 'checkpoint_damaged', step: 4, from: 2 },
    ]);
  });

  it('not where every checkpoint is damaged: it says so, and leaves them as they are', async () => {
    const place = await paused();
    for (const step of [2, 4, 5]) truncateSync(join(place.folder.checkpoint(step), 'optimizer.safetensors'), 50);
    await expect(place.runs.resume(place.run, compute, place.onEvent)).rejects.toMatchObject({ code: 'checkpoint.invalid' });
    expect(place.runs.get(place.run)).toMatchObject({ status: 'failed', error: 'checkpoint.invalid', step: 5 });
    expect(readdirSync(place.folder.checkpoints)).toHaveLength(3);
  });

  it('not where its folder is gone', async () => {
    const place = await paused();
    rmSync(place.folder.folder, { recursive: true });
    await expect(place.runs.resume(place.run, compute, place.onEvent)).rejects.toMatchObject({ code: 'run.no_checkpoint' });
    expect(place.runs.get(place.run)).toMatchObject({ status: 'paused' });
  });
});

describe('recover', () => {
  it('changes nothing the second time', async () => {
    const place = await paused();
    place.sql('DELETE FROM checkpoints WHERE step = 5');
    rmSync(place.folder.checkpoint(4), { recursive: true });
    expect(recover(place.store, place.run, place.folder)).toEqual([5, 2]);
    expect(recover(place.store, place.run, place.folder)).toEqual([5, 2]);
    expect(place.store.checkpoints(place.run).map(({ step, kept }) => [step, kept])).toEqual([[2, true], [4, false], [5, true]]);
  });
});

describe('a disk that is full', () => {
  it('in the middle of a run fails it by name; with room again it goes on from its last whole checkpoint', async ({ skip }) => {
    const disk = mountSmallDisk(3000);
    if (disk === null) return skip('no tmpfs can be mounted here');
    const expected = await undisturbed();
    const place = tinyHome(disk);
    const filler = join(disk, 'filler');
    const steps: number[] = [];
    const failed = place.runs.start(recipeOf(disk), compute, (event) => {
      if (event.event !== 'step') return;
      steps.push(event.step);
      if (event.step === 5) fill(filler);
    });
    await expect(failed).rejects.toMatchObject({ code: 'disk.full' });
    const run = place.store.list()[0]?.run ?? '';
    rmSync(filler);
    const status = place.runs.get(run).status;
    expect(['failed', 'interrupted']).toContain(status);
    expect(readdirSync(place.home.run(run).checkpoints).sort()).toEqual(['step-000002', 'step-000004']);
    const { adapter } = await place.runs.resume(run, compute, place.onEvent);
    expect(bytesIn(adapter)).toEqual(expected.adapter);
    expect(place.store.metrics(run).map(({ loss }) => loss)).toEqual(expected.losses);
    expect(existsSync(place.home.trainerLock)).toBe(false);
  });
});

/** Writes until nothing fits any more. */
function fill(path: string): void {
  for (let size = 1 << 16; size >= 512; size /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch {
      // Smaller pieces may still fit.
    }
  }
}
