// What a kill or a power cut can leave at each point of a run's life, made by hand: the run goes on from what is whole, and
// ends as one that was left alone.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import Database from 'better-sqlite3';
import { recover } from '../../../main/services/recovery.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import type { RunFolder } from '../../../main/home.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';
import { temporaryFolder } from '../../support/files.ts';
import { evaluatedRecipe, openHome, tinyHome, type TinyHome } from '../../support/tiny-home.ts';
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

/** A home with a run that was paused after step 5, made once: checkpoints 2, 4 and 5. */
const template = mkdtempSync(join(tmpdir(), 'namesake-test-'));
let pausedRun = '';
/** What a run leaves that nobody disturbed. */
let expected: { adapter: Buffer[]; losses: number[] } = { adapter: [], losses: [] };

beforeAll(async () => {
  const { runs, store, home, close } = openHome(template);
  const { run, adapter } = await runs.start(recipeOf(template), compute, () => undefined);
  expected = { adapter: bytesIn(adapter), losses: store.metrics(run).map(({ loss }) => loss) };
  const started = runs.start(recipeOf(template), compute, (event) => {
    if (event.event === 'step' && event.step === 5) runs.pause(runs.active ?? '');
  });
  await expect(started).rejects.toMatchObject({ code: 'cancelled' });
  pausedRun = store.list()[0]?.run ?? '';
  expect(readdirSync(home.run(pausedRun).checkpoints)).toHaveLength(3);
  close();
}, 120_000);
afterAll(() => rmSync(template, { recursive: true, force: true }));

/** A copy of the paused run in a home of its own. */
function paused(): Paused {
  const folder = temporaryFolder();
  cpSync(template, folder, { recursive: true });
  const place = tinyHome(folder);
  const db = new Database(place.home.database);
  onTestFinished(() => {
    db.close();
  });
  return { ...place, run: pausedRun, folder: place.home.run(pausedRun), sql: (text) => void db.prepare(text).run() };
}

const bytesIn = (folder: string): Buffer[] => readdirSync(folder).sort().map((name) => readFileSync(join(folder, name)));

/** Resumes; returns the steps that were trained. The run must end as the undisturbed one. */
async function goesOn(place: Paused): Promise<number[]> {
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

/** Changes one bit in the middle of a file. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

const corrupt: [string, (folder: string) => void][] = [
  ['adapter_model.safetensors', flip],
  ['optimizer.safetensors', flip],
  ['adapter_model.safetensors', (path) => truncateSync(path, 100)],
  ['adapter_config.json', (path) => writeFileSync(path, '{')],
  ['optimizer.safetensors', (path) => writeFileSync(path, Buffer.alloc(4096))],
  ['trainer_state.json', (path) => rmSync(path)],
];

describe('a run goes on', () => {
  it.each<[string, (place: Paused) => void, number]>([
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
  ])('after a kill that left %s', async (_, make, from) => {
    const place = paused();
    make(place);
    expect((await goesOn(place))[0]).toBe(from);
  });

  it('although an engine that outlived its program saves a checkpoint under its feet', async () => {
    const place = paused();
    const copy = join(temporaryFolder(), 'checkpoint');
    cpSync(place.folder.checkpoint(4), copy, { recursive: true });
    const before = place.onEvent;
    place.onEvent = (event) => {
      before(event);
      if (event.event === 'step' && event.step === 7) cpSync(copy, place.folder.checkpoint(8), { recursive: true });
    };
    expect(await goesOn(place)).toEqual([6, 7, 8, 9]);
  });

  it.each(corrupt)('from the checkpoint before one with a damaged %s, and says so', async (name, damage) => {
    const place = paused();
    damage(join(place.folder.checkpoint(5), name));
    damage(join(place.folder.checkpoint(4), name));
    expect((await goesOn(place))[0]).toBe(3);
    expect(place.events.filter(({ event }) => event === 'warning')).toEqual([
      { event: 'warning', warning: 'checkpoint_damaged', step: 5, from: 4 },
      { event: 'warning', warning: 'checkpoint_damaged', step: 4, from: 2 },
    ]);
  });

  it('from the newest checkpoint although an older one is damaged, which is never chosen then', async () => {
    const place = paused();
    flip(join(place.folder.checkpoint(2), 'adapter_model.safetensors'));
    expect((await goesOn(place))[0]).toBe(6);
    expect(place.store.checkpoints(place.run)[0]).toMatchObject({ step: 2, kept: false });
    expect(place.events).toContainEqual({ event: 'warning', warning: 'checkpoint_damaged', step: 2, from: 5 });
  });

  it('not where every checkpoint is damaged: it says so, and leaves them as they are', async () => {
    const place = paused();
    for (const step of [2, 4, 5]) truncateSync(join(place.folder.checkpoint(step), 'optimizer.safetensors'), 50);
    await expect(place.runs.resume(place.run, compute, place.onEvent)).rejects.toMatchObject({ code: 'checkpoint.invalid' });
    expect(place.runs.get(place.run)).toMatchObject({ status: 'failed', error: 'checkpoint.invalid', step: 5 });
    expect(readdirSync(place.folder.checkpoints)).toHaveLength(3);
  });

  it('not where its folder is gone', async () => {
    const place = paused();
    rmSync(place.folder.folder, { recursive: true });
    await expect(place.runs.resume(place.run, compute, place.onEvent)).rejects.toMatchObject({ code: 'run.no_checkpoint' });
    expect(place.runs.get(place.run)).toMatchObject({ status: 'paused' });
  });
});

describe('what the recipe names', () => {
  it('may go once the run has begun: its questions and its first adapter are the run’s own', async () => {
    const place = tinyHome();
    const first = await place.runs.start(recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 1 }), compute, () => undefined);
    const evaluate = { every_steps: 1, from_step: 1, stop_when_right: false };
    const change = { steps: 2, method: { rank: 4, alpha: 8, init_adapter: first.adapter } };
    const recipe = evaluatedRecipe(place.home.folder, evaluate, change);
    const whole = await place.runs.start(recipe, compute, () => undefined);
    expect(place.runs.diff(first.run, whole.run)).toContainEqual({ field: 'provenance.init_sha256', a: null, b: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const started = place.runs.start(recipe, compute, (event) => {
      if (event.event === 'probe') place.runs.pause(place.runs.active ?? '');
    });
    await expect(started).rejects.toMatchObject({ code: 'cancelled' });
    const run = place.store.list()[0]?.run ?? '';
    rmSync(first.adapter, { recursive: true });
    for (const name of ['probes.json', 'probed-rows.jsonl']) rmSync(join(place.home.folder, name));
    const resumed = await place.runs.resume(run, compute, () => undefined);
    expect(bytesIn(resumed.adapter)).toEqual(bytesIn(whole.adapter));
    expect(resumed.scores).toEqual(whole.scores);
  });
});

describe('a run that stops when it is right twice in a row', () => {
  it('does not forget, when it goes on, that it was not right at a step whose checkpoint is gone', async () => {
    const place = tinyHome();
    const evaluate = { every_steps: 4, from_step: 4, stop_when_right: true, limits: { recall: 0, leak: 1 } };
    const started = place.runs.start(evaluatedRecipe(place.home.folder, evaluate, { steps: 16 }), compute, (event) => {
      if (event.event === 'step' && event.step === 6) place.runs.pause(place.runs.active ?? '');
    });
    await expect(started).rejects.toMatchObject({ code: 'cancelled' });
    const [{ run } = { run: '' }] = place.store.list();
    expect(place.store.checkpoints(run)).toMatchObject([{ step: 0 }, { step: 4, right: true }, { step: 6, scores: null }]);
    const db = new Database(place.home.database);
    db.exec('INSERT INTO checkpoints (run_id, step, is_right, scores, kept) SELECT run_id, 5, 0, scores, 0 FROM checkpoints WHERE step = 4');
    db.close();
    const { steps } = await place.runs.resume(run, compute, () => undefined);
    // Right at 4, not right at 5, right at 8 and at 12.
    expect(steps).toBe(12);
  });
});

describe('recover', () => {
  it('changes nothing the second time', async () => {
    const place = paused();
    place.sql('DELETE FROM checkpoints WHERE step = 5');
    rmSync(place.folder.checkpoint(4), { recursive: true });
    expect(recover(place.store, place.run, place.folder)).toEqual([5, 2]);
    expect(place.store.checkpointSha256(place.run, 2)).toMatch(/^[0-9a-f]{64}$/);
    expect(place.store.checkpointSha256(place.run, 5)).toBeNull();
    expect(recover(place.store, place.run, place.folder)).toEqual([5, 2]);
    expect(place.store.checkpoints(place.run).map(({ step, kept }) => [step, kept])).toEqual([[2, true], [4, false], [5, true]]);
  });
});

describe('a disk that is full', () => {
  it('in the middle of a run fails it by name; with room again it goes on from its last whole checkpoint', async ({ skip }) => {
    const disk = mountSmallDisk(3000);
    if (disk === null) return skip('no tmpfs can be mounted here');
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
    // The disk is still full, and how it ended is known all the same.
    expect(place.runs.get(run)).toMatchObject({ status: 'failed', error: 'disk.full' });
    expect(existsSync(join(place.home.run(run).folder, 'room.tmp'))).toBe(false);
    rmSync(filler);
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
