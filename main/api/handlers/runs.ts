// Runs: beginning, watching and ending them.
import { summaryOf } from '../../services/run.ts';
import type { HandlersOf } from '../handlers.ts';

export const runs: HandlersOf<'runs'> = {
  'runs.start': async ({ core, runs }, { draft }) => {
    const { recipe, rows, version } = core.drafts.ready(draft);
    // Training takes the memory that looking at rows took.
    await core.rowLives.close();
    await core.tokens.load();
    const run = await runs.begin((onEvent) => core.runs.start(recipe, core.compute, onEvent, rows));
    core.drafts.markStarted(draft, version);
    return { run };
  },
  'runs.list': ({ core }) => core.runs.list().map(summaryOf),
  'runs.facts': ({ core }) => core.runs.facts(),
  'runs.deleted': ({ core }) => core.runs.deleted(),
  'runs.get': ({ core, hub }, { run }) => {
    // What waits is older than what is read now: told afterwards, it would take the curve back.
    hub.flush();
    return core.runs.details(run);
  },
  'runs.metrics': ({ core }, { run, after }) => core.runs.metrics(run, after),
  'runs.probes': ({ core }, { run, step }) => core.runs.probes(run, step),
  'runs.pause': ({ core }, { run }) => {
    core.runs.pause(run);
    return null;
  },
  'runs.resume': async ({ core, runs }, { run, device }) => {
    await core.tokens.load();
    await runs.begin((onEvent) => core.runs.resume(run, core.compute, onEvent, device));
    return null;
  },
  'runs.stop': ({ core }, { run }) => {
    core.runs.stop(run);
    return null;
  },
  'runs.cancel': ({ core }, { run }) => {
    core.runs.cancel(run);
    return null;
  },
  'runs.rename': ({ core, runs }, { run, name }) => {
    core.runs.rename(run, name);
    runs.changed(run);
    return null;
  },
  'runs.choose': async ({ core, runs, queues }, { run, step }) => {
    // Not beside an export, which says what the kept adapter scores.
    await queues.export.run(() => core.choices.choose(run, step));
    await core.chat.renew(run);
    runs.changed(run);
    return null;
  },
  'runs.delete': ({ core, hub }, { run }) => {
    core.runs.delete(run);
    hub.tell({ event: 'runs' });
    return null;
  },
  'runs.undelete': ({ core, runs }, { run }) => {
    core.runs.undelete(run);
    runs.changed(run);
    return null;
  },
  'runs.diff': ({ core }, { a, b }) => core.runs.diff(a, b),
};
