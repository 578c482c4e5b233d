// The list of runs: delete and bring back, rename, compare; and what earlier processes left in the folder of runs.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import Database from 'better-sqlite3';
import { bringBack, moveToTrash, tidy } from '../../../main/services/trash.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { recipeSchema, type RecipeInput } from '../../../shared/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { readJson } from '../../support/files.ts';
import { tinyHome, type TinyHome } from '../../support/tiny-home.ts';
import { tinyRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const compute = { threads: 1, isa: 'auto' };

async function trained(place: TinyHome, change: Partial<RecipeInput> = {}): Promise<string> {
  const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 2, ...change });
  return (await place.runs.start(recipe, compute, () => undefined)).run;
}

/** Changes the database behind the program's back. */
function sql(place: TinyHome, text: string, ...values: string[]): void {
  const db = new Database(place.home.database);
  db.prepare(text).run(...values);
  db.close();
}

/** Another program that comes to this home. */
const next = (place: TinyHome): TinyHome => tinyHome(place.home.folder);

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

describe('details', () => {
  it('of a run that failed have what the words of its error need, and how much room its disk has', () => {
    const place = tinyHome();
    place.store.create('20260101-000000-abcdef', recipeSchema.parse(tinyRecipe(place.home.folder)));
    place.store.fail('20260101-000000-abcdef', new NamesakeError('memory.insufficient', 'too much', { needed: 3, available: 2 }));
    const details = place.runs.details('20260101-000000-abcdef');
    expect(details).toMatchObject({ status: 'failed', error: 'memory.insufficient', error_detail: 'too much', error_params: { needed: 3, available: 2 } });
    expect(details.free_disk_bytes).toBeGreaterThan(0);
  });
});

describe('facts', () => {
  it('say what each run was made from, what its chosen checkpoint answered, and what it takes of the disk', async () => {
    const place = tinyHome();
    const run = await trained(place);
    const probe = { lang: 'en', question: 'q', answer: 'a' } as const;
    const verdicts = [['identity', true], ['identity', false], ['unrelated', false], ['near_miss', true], ['near_miss', false]] as const;
    const record = place.store.get(run);
    place.store.addEvaluation(run, record.chosen_step ?? 0, { retention: { kl: 0, perplexity_ratio: 1 } }, true, verdicts.map(([kind, hit]) => ({ ...probe, kind, hit })));
    const facts = place.runs.facts();
    expect(facts).toEqual([
      { run, model: record.recipe.model.ref, languages: record.recipe.data.persona?.languages ?? [], score: { knows: { right: 1, of: 2 }, alone: { right: 2, of: 3 } }, bytes_on_disk: place.runs.details(run).bytes_on_disk },
    ]);
    expect(facts[0]?.bytes_on_disk).toBeGreaterThan(0);
    place.runs.delete(run);
    expect(place.runs.facts()).toEqual([]);
  });
});

describe('delete', () => {
  let place: TinyHome;
  let run: string;
  const inTrash = (): string => join(place.home.trash, run);
  beforeEach(async () => {
    place = tinyHome();
    run = await trained(place);
  });

  it('takes a run out of the list; undelete brings all of it back', () => {
    place.runs.rename(run, 'Bo');
    const details = place.runs.details(run);
    expect(details.metrics).toHaveLength(2);
    expect(place.runs.deleted()).toEqual([]);
    place.runs.delete(run);
    const [gone] = place.runs.deleted();
    expect(gone).toMatchObject({ run, name: 'Bo' });
    expect(Date.parse(gone?.until ?? '')).toBeGreaterThan(Date.now() + 9 * 60_000);
    expect(place.runs.list()).toEqual([]);
    expect(names(place.home.runs)).toEqual([]);
    for (const ask of ['get', 'details', 'delete', 'stop'] as const) expect(thrownBy(() => void place.runs[ask](run)).code).toBe('run.unknown');
    expect(thrownBy(() => place.runs.rename(run, 'x')).code).toBe('run.unknown');
    // Another program does not take it for long gone.
    next(place);
    place.runs.undelete(run);
    expect(place.runs.details(run)).toEqual({ ...details, free_disk_bytes: expect.any(Number) as number });
    expect(names(place.home.trash)).toEqual([]);
    expect(thrownBy(() => place.runs.undelete(run)).code).toBe('run.unknown');
  });

  it('is for good after ten minutes, when the next program starts', () => {
    place.runs.delete(run);
    sql(place, 'UPDATE runs SET deleted_at = ?', new Date(Date.now() - 10 * 60_000 - 1).toISOString());
    expect(thrownBy(() => place.runs.undelete(run)).code).toBe('run.unknown');
    expect(existsSync(inTrash())).toBe(true);
    const other = next(place);
    expect(names(place.home.trash)).toEqual([]);
    expect(other.store.deleted().size).toBe(0);
    expect(other.store.metrics(run)).toEqual([]);
  });

  it('that a kill cut off is finished, and can still be taken back', () => {
    place.store.markDeleted(run, new Date());
    const other = next(place);
    expect(names(place.home.runs)).toEqual([]);
    expect(other.runs.list()).toEqual([]);
    other.runs.undelete(run);
    expect(other.runs.get(run)).toMatchObject({ status: 'done' });
    expect(existsSync(other.home.run(run).adapter)).toBe(true);
  });

  it('that is half taken back: the run is there or can be brought back', () => {
    place.runs.delete(run);
    renameSync(inTrash(), place.home.run(run).folder);
    place.runs.undelete(run);
    expect(place.runs.details(run).bytes_on_disk).toBeGreaterThan(0);
  });

  it('that a power cut took back in the database: the folder comes back too', () => {
    place.runs.delete(run);
    place.store.markUndeleted(run);
    const other = next(place);
    expect(names(place.home.runs)).toEqual([run]);
    expect(other.runs.details(run).bytes_on_disk).toBeGreaterThan(0);
  });

  it('that was half emptied is emptied', () => {
    place.runs.delete(run);
    sql(place, 'UPDATE runs SET deleted_at = ?', '2020-01-01T00:00:00.000Z');
    renameSync(inTrash(), `${inTrash()}.old`);
    rmSync(join(`${inTrash()}.old`, 'recipe.json'));
    const other = next(place);
    expect(names(place.home.trash)).toEqual([]);
    expect(other.store.deleted().size).toBe(0);
  });

  it.each(['deleted', 'brought back'])('for good takes no other run along that is %s meanwhile', async (what) => {
    const other = await trained(place);
    if (what === 'brought back') moveToTrash(place.home, place.store, other);
    moveToTrash(place.home, place.store, run);
    sql(place, 'UPDATE runs SET deleted_at = ? WHERE id = ?', '2020-01-01T00:00:00.000Z', run);
    vi.spyOn(place.store, 'forget').mockImplementationOnce((id) => {
      place.store.forget(id);
      if (what === 'deleted') moveToTrash(place.home, place.store, other);
      else bringBack(place.home, place.store, other);
    });
    tidy(place.home, place.store);
    expect(names(place.home.trash)).toEqual(what === 'deleted' ? [other] : []);
    expect(names(place.home.runs)).toEqual(what === 'deleted' ? [] : [other]);
  });

  it('leaves the others alone', async () => {
    const other = await trained(place);
    place.runs.delete(run);
    expect(place.runs.list().map((found) => found.run)).toEqual([other]);
    expect(names(place.home.runs)).toEqual([other]);
  });
});

describe('folders without a run', () => {
  it('with checkpoints come back as interrupted runs that go on from there', async () => {
    const place = tinyHome();
    const run = await trained(place, { steps: 4 });
    const adapter = readFileSync(join(place.home.run(run).adapter, 'adapter_model.safetensors'));
    rmSync(place.home.run(run).checkpoint(4), { recursive: true });
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${place.home.database}${suffix}`, { force: true });
    const other = next(place);
    expect(other.runs.list()).toMatchObject([{ run, name: 'tiny', status: 'interrupted', step: 2, steps: 4 }]);
    const resumed = await other.runs.resume(run, compute, other.onEvent);
    expect(readFileSync(join(resumed.adapter, 'adapter_model.safetensors'))).toEqual(adapter);
    expect(other.store.metrics(run).map(({ step }) => step)).toEqual([3, 4]);
  });

  it('that a kill left of a start or of throwing away go; others stay', () => {
    const place = tinyHome();
    const { runs } = place.home;
    const recipe = JSON.stringify(tinyRecipe(place.home.folder));
    mkdirSync(join(runs, '20260101-000000-aaaaaa', 'checkpoints'), { recursive: true });
    mkdirSync(join(runs, '20260101-000000-bbbbbb', 'checkpoints'), { recursive: true });
    writeFileSync(join(runs, '20260101-000000-bbbbbb', 'recipe.json'), recipe);
    mkdirSync(join(runs, '20260101-000000-cccccc.old'));
    writeFileSync(join(runs, '20260101-000000-cccccc.old', 'recipe.json'), recipe);
    mkdirSync(join(runs, 'my-notes'));
    writeFileSync(join(runs, 'my-notes', 'todo.txt'), 'x');
    writeFileSync(join(runs, 'readme.txt'), 'x');
    for (const mine of ['exp1', 'exp2', 'exp2.old', 'notes.tmp']) mkdirSync(join(runs, mine));
    writeFileSync(join(runs, 'exp2', 'recipe.json'), recipe);
    mkdirSync(join(place.home.trash, 'mine.old'), { recursive: true });
    next(place);
    expect(names(runs)).toEqual(['exp1', 'exp2', 'exp2.old', 'my-notes', 'notes.tmp', 'readme.txt']);
    expect(names(place.home.trash)).toEqual(['mine.old']);
    expect(place.runs.list()).toEqual([]);
  });

  it('of a run that was thrown away go when a kill left them', async () => {
    const place = tinyHome();
    const run = await trained(place);
    sql(place, `UPDATE runs SET status = 'cancelled'`);
    next(place);
    expect(names(place.home.runs)).toEqual([]);
    expect(place.runs.list()).toMatchObject([{ run, status: 'cancelled' }]);
  });

  it('stay where someone trains: it may be a run that is just being started', async () => {
    const place = tinyHome();
    const recipe = recipeSchema.parse({ ...tinyRecipe(place.home.folder), steps: 2 });
    const made = join(place.home.runs, '20260101-000000-aaaaaa');
    const there: boolean[] = [];
    await place.runs.start(recipe, compute, (event) => {
      if (event.event !== 'step') return;
      mkdirSync(made, { recursive: true });
      const other = next(place);
      there.push(existsSync(made), other.runs.list().length === 1);
    });
    expect(there).toEqual([true, true, true, true]);
    next(place);
    expect(existsSync(made)).toBe(false);
  });
});

describe('a home that cannot be written to any more', () => {
  it('still shows its runs', async () => {
    const place = tinyHome();
    const run = await trained(place);
    cpSync(place.home.run(run).folder, join(place.home.runs, '20260101-000000-aaaaaa'), { recursive: true });
    // A file where the lock's folder would have to be.
    sql(place, `UPDATE runs SET status = 'running'`);
    writeFileSync(place.home.trainerLock, '');
    onTestFinished(() => rmSync(place.home.trainerLock, { force: true }));
    expect(next(place).runs.get(run)).toMatchObject({ run });
  });
});

describe('rename', () => {
  it('changes the name in the list, not the recipe', async () => {
    const place = tinyHome();
    const run = await trained(place);
    place.runs.rename(run, '小锋 · 2');
    expect(place.runs.list()).toMatchObject([{ name: '小锋 · 2', recipe: { name: 'tiny' } }]);
    expect(thrownBy(() => place.runs.rename('nobody', 'x')).code).toBe('run.unknown');
  });
});

describe('diff', () => {
  it('says in which fields recipes and origins differ: dotted, arrays whole', async () => {
    const place = tinyHome();
    const a = await trained(place);
    const b = await trained(place, { name: 'other', optim: { lr: 1e-2, schedule: 'constant', warmup_steps: 2, betas: [0.9, 0.99] }, data: { ...tinyRecipe(place.home.folder).data, systems: ['Be kind.'] } });
    expect(place.runs.diff(a, a)).toEqual([]);
    expect(place.runs.diff(a, b).filter(({ field }) => field !== 'provenance.rows_sha256')).toEqual([
      { field: 'name', a: 'tiny', b: 'other' },
      { field: 'data.systems', a: [null], b: ['Be kind.'] },
      { field: 'optim.betas', a: [0.9, 0.999], b: [0.9, 0.99] },
    ]);
    expect(place.runs.diff(a, b).map(({ field }) => field)).toContain('provenance.rows_sha256');
    const path = place.home.run(b).provenance;
    const provenance = readJson(path) as { engine: object; model: object };
    writeFileSync(path, JSON.stringify({ ...provenance, engine: { ...provenance.engine, isa: 'neon', card: { name: 'RTX 2060', compute_capability: '7.5', driver: '12.4' } }, model: { ...provenance.model, sha256: 'f00' } }));
    const differences = place.runs.diff(a, b);
    expect(differences).toContainEqual(expect.objectContaining({ field: 'provenance.engine.isa', b: 'neon' }));
    expect(differences).toContainEqual({ field: 'provenance.engine.card.name', a: null, b: 'RTX 2060' });
    expect(differences).toContainEqual({ field: 'provenance.engine.card.driver', a: null, b: '12.4' });
    expect(differences).toContainEqual(expect.objectContaining({ field: 'provenance.model.sha256', b: 'f00' }));
    // A run that was thrown away has a recipe and nothing else.
    rmSync(place.home.run(b).folder, { recursive: true });
    expect(place.runs.diff(a, b)).toContainEqual(expect.objectContaining({ field: 'provenance.engine.backend', a: 'cpu', b: null }));
    expect(thrownBy(() => place.runs.diff(a, 'nobody')).code).toBe('run.unknown');
  });
});

describe('provenance.json', () => {
  it('says what a run was made from and with', async () => {
    const place = tinyHome();
    const run = await trained(place);
    const sha = expect.stringMatching(/^[0-9a-f]{64}$/) as unknown;
    expect(readJson(place.home.run(run).provenance)).toMatchObject({
      namesake: expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
      node: process.versions.node,
      addon_sha256: sha,
      platform: `${process.platform}-${process.arch}`,
      model: { ref: expect.stringContaining('tiny-llama.gguf') as unknown, sha256: sha, architecture: 'llama' },
      rows_sha256: sha,
      recipe_sha256: sha,
      engine: { backend: 'cpu', isa: expect.any(String) as unknown, threads: 1, precision: 'as-stored' },
      form: { prompt: expect.stringContaining('…') as unknown, stops: expect.arrayContaining(['<|im_end|>']) as unknown },
      seed: 42,
    });
  });
});
