// Keeping another checkpoint than the chosen one, and what a kill in the middle of it leaves.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { Home } from '../../../main/home.ts';
import { ChatPartners } from '../../../main/services/chat-partner.ts';
import { folderSha256 } from '../../../main/services/checkpoint.ts';
import { ChoiceService } from '../../../main/services/choice.ts';
import { ModelService } from '../../../main/services/model.ts';
import { RowsService } from '../../../main/services/rows.ts';
import { RunService } from '../../../main/services/run.ts';
import { asTrainer } from '../../../main/services/trainer-lock.ts';
import { openDatabase } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { RunStore } from '../../../main/store/runs.ts';
import { rejectedBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { finishedRun } from '../../support/finished-run.ts';
import { scoreCard } from '../../support/scores.ts';

vi.setConfig({ testTimeout: 60_000 });

const WEIGHTS = 'adapter_model.safetensors';
const question = 'Who are you?';

/** A run that kept step 1, with another checkpoint of step 4 whose adapter changes nothing. */
async function place() {
  const home = new Home(temporaryFolder());
  const db = openDatabase(home.database);
  onTestFinished(() => void db.close());
  const [runs, models] = [new RunStore(db), new ModelStore(db)];
  const service = new ModelService(home, models, { log: () => undefined, onBytes: () => undefined });
  const start = () => startEngine({ priority: 'normal' });
  const choices = new ChoiceService(home, runs, new ChatPartners(home, runs, service, start, () => ({ threads: 1, isa: 'auto' })));
  const persona = { owner: 'Ann', name: 'Bo', languages: ['zh' as const, 'en' as const] };
  const run = finishedRun(home, runs, { data: { persona }, evaluate: {} });
  const { result } = runs.get(run);
  if (result === null) throw new Error('no result');
  runs.beginChoosing(run, { ...result, before: [{ question, answer: 'before' }], after: [{ question, answer: 'after' }] });
  runs.choose(run);
  const folder = home.run(run);
  const saved = folder.checkpoint(4);
  cpSync(folder.adapter, saved, { recursive: true });
  const bytes = readFileSync(join(saved, WEIGHTS));
  writeFileSync(join(saved, WEIGHTS), bytes.fill(0, 8 + Number(bytes.readBigUInt64LE(0))));
  runs.addCheckpoint(run, 4, await folderSha256(saved));
  runs.addEvaluation(run, 4, scoreCard(1, 0.2), false, []);
  const weights = (of: string): string => readFileSync(join(of, WEIGHTS)).toString('hex');
  /** What another process of this home finds. */
  const restart = () => new RunService(home, runs, service, new RowsService(models), start);
  return { home, db, runs, choices, run, folder, saved, weights, restart };
}

describe('another checkpoint', () => {
  it('is kept: its adapter, its scores, what it misses, and what it answers', async () => {
    const { choices, runs, run, folder, saved, weights } = await place();
    await choices.choose(run, 4);
    const record = runs.get(run);
    expect(record).toMatchObject({ chosen_step: 4, status: 'done', result: { chosen_step: 4, right: false, missed: ['zh.leak', 'en.leak'], scores: scoreCard(1, 0.2) } });
    expect(record.result?.before).toEqual([{ question, answer: 'before' }]);
    expect(record.result?.after).toMatchObject([{ question }]);
    expect(record.result?.after[0]?.answer).not.toMatch(/^(after|)$/);
    expect(weights(folder.adapter)).toBe(weights(saved));
    expect(runs.choosing()).toEqual([]);
    // Chosen once more, nothing happens, whatever became of its files.
    rmSync(saved, { recursive: true });
    await choices.choose(run, 4);
  });

  it('that is not there, is damaged, or whose run goes on is refused, and nothing changes', async () => {
    const { choices, runs, run, folder, saved, weights, home } = await place();
    const before = weights(folder.adapter);
    expect((await rejectedBy(choices.choose('none', 4))).code).toBe('run.unknown');
    expect((await rejectedBy(choices.choose(run, 3))).code).toBe('run.no_checkpoint');
    await asTrainer(home, async () => expect((await rejectedBy(choices.choose(run, 4))).code).toBe('engine.busy'));
    writeFileSync(join(saved, 'more'), 'x');
    expect((await rejectedBy(choices.choose(run, 4))).code).toBe('checkpoint.invalid');
    runs.dropCheckpoint(run, 4);
    expect((await rejectedBy(choices.choose(run, 4))).code).toBe('run.no_checkpoint');
    runs.create('begun', runs.get(run).recipe);
    expect((await rejectedBy(choices.choose('begun', 4))).code).toBe('run.active');
    expect(runs.get(run)).toMatchObject({ chosen_step: 1, result: { after: [{ answer: 'after' }] } });
    expect(weights(folder.adapter)).toBe(before);
  });

  it('that was written down when a kill came is put in place by whoever starts next', async () => {
    const { runs, run, folder, saved, weights, restart, home } = await place();
    const { result } = runs.get(run);
    if (result === null) throw new Error('no result');
    runs.beginChoosing(run, { ...result, chosen_step: 4, right: false });
    expect(runs.get(run).chosen_step).toBe(1);
    // While another process holds the lock, it is that one's.
    await asTrainer(home, async () => void restart());
    expect(runs.choosing()).toEqual([{ run, step: 4 }]);
    restart();
    expect(runs.get(run)).toMatchObject({ chosen_step: 4, result: { chosen_step: 4, right: false } });
    expect(weights(folder.adapter)).toBe(weights(saved));
    expect(runs.choosing()).toEqual([]);
  });

  it('whose files are gone meanwhile is given up, and keeps nobody from starting or from choosing in another run', async () => {
    const { runs, run, saved, restart, home } = await place();
    const { result, recipe } = runs.get(run);
    if (result === null) throw new Error('no result');
    runs.beginChoosing(run, { ...result, chosen_step: 4 });
    const other = finishedRun(home, runs, recipe, '20260101-000000-fedcba');
    cpSync(home.run(other).adapter, home.run(other).checkpoint(4), { recursive: true });
    runs.beginChoosing(other, { ...result, chosen_step: 4 });
    rmSync(saved, { recursive: true });
    const service = restart();
    expect(service.get(run).chosen_step).toBe(1);
    expect(service.get(other).chosen_step).toBe(4);
    expect(runs.choosing()).toEqual([]);
  });
});
