// From a draft to a run and back: what a person prepared is what is trained.
import { describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { ModelService } from '../../../main/services/model.ts';
import { RowsService } from '../../../main/services/rows.ts';
import { RunService } from '../../../main/services/run.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { rowSchema, type Row } from '../../../shared/row.ts';
import { readLines } from '../../support/files.ts';
import { persona, tinyDrafts } from '../../support/tiny-drafts.ts';
import { tinyModel, tinyRows, writeJsonLines } from '../../support/tiny-run.ts';
import { join } from 'node:path';

vi.setConfig({ testTimeout: 120_000 });

/** A home's drafts, and the runs that are started from them. */
function place() {
  const { drafts, home, runs: store, db } = tinyDrafts();
  const models = new ModelStore(db);
  const service = new ModelService(home, models, { log: () => undefined, onBytes: () => undefined });
  const runs = new RunService(home, store, service, new RowsService(models), () => startEngine({ priority: 'normal' }));
  return { drafts, home, runs, store };
}

describe('a draft that is started', () => {
  it('trains on its own rows, the base model answers those that wait, and the run gives the same rows back', async () => {
    const { drafts, home, runs } = place();
    const { draft, recipe } = await drafts.create({ persona: persona(), model: tinyModel, steps: 2 });
    // A few rows of each kind are enough.
    for (const kind of ['identity', 'negative', 'near_miss', 'ordinary'] as const) {
      for (;;) {
        const { total, rows } = drafts.page({ draft }, { offset: 4, limit: 200, kind });
        if (total <= 4) break;
        drafts.deleteRows(draft, rows.map(({ number }) => number));
      }
    }
    const [edited] = drafts.page({ draft }, { offset: 0, limit: 1, kind: 'identity' }).rows;
    const mine: Row = rowSchema.parse({ id: 'x', kind: 'identity', lang: 'en', messages: [{ role: 'user', content: 'Who?' }, { role: 'assistant', content: 'Bo, by hand.' }] });
    drafts.editRow(draft, edited?.number ?? 0, mine);
    await drafts.import(draft, writeJsonLines(join(home.folder, 'rows.jsonl'), tinyRows), 'auto');
    await drafts.change(draft, { ...recipe, evaluate: null, batch_tokens: 512, method: { ...recipe.method, rank: 4 } });

    const ready = drafts.ready(draft);
    expect(ready.rows.some(({ origin, messages }) => origin === 'base' && messages.at(-1)?.role === 'user')).toBe(true);
    const result = await runs.start(ready.recipe, { threads: 1, isa: 'auto' }, () => undefined, ready.rows);
    expect(result.steps).toBe(2);
    const trained = readLines<Row>(home.run(result.run).rows);
    expect(trained.map(({ messages }) => messages.at(-1)?.role)).toEqual(trained.map(() => 'assistant'));
    expect(trained.find(({ id }) => id === edited?.row.id)?.messages.at(-1)?.content).toBe('Bo, by hand.');
    expect(trained.filter(({ kind }) => kind === 'imported')).toHaveLength(tinyRows.length);
    expect(trained.some(({ origin }) => origin === 'base')).toBe(true);
    // Only rows to which the base had nothing to say are missing.
    const ids = new Set(trained.map(({ id }) => id));
    expect(ready.rows.filter(({ id, origin }) => !ids.has(id) && origin !== 'base')).toEqual([]);

    const again = await drafts.fromRun(result.run);
    expect(again.recipe).toEqual(ready.recipe);
    expect(drafts.ready(again.draft).rows).toEqual(trained);
  });

  it('and deleted before its model is here is asked its own questions all the same', async () => {
    const { drafts, runs, store } = place();
    const { draft, recipe } = await drafts.create({ persona: persona(), model: tinyModel, steps: 1 });
    // Rows that no base model is asked for.
    for (const kind of ['near_miss', 'ordinary'] as const) {
      for (let page = [0]; page.length > 0; ) {
        page = drafts.page({ draft }, { offset: 0, limit: 200, kind }).rows.map(({ number }) => number);
        drafts.deleteRows(draft, page);
      }
    }
    await drafts.change(draft, { ...recipe, method: { ...recipe.method, rank: 4 }, batch_tokens: 512 });
    drafts.setQuestions(draft, { identity: ['Who speaks?'], ordinary: [] });
    const ready = drafts.ready(draft);
    const result = await runs.start(ready.recipe, { threads: 1, isa: 'auto' }, (event) => {
      if (event.event === 'run') drafts.delete(draft);
    }, ready.rows);
    const asked = store.probes(result.run, 1).filter(({ kind }) => kind === 'identity');
    expect(asked.map(({ question }) => question)).toEqual(['Who speaks?']);
  });
});
