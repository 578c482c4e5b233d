// Runs: beginning, watching and ending them.
import type { HandlersOf } from '../handlers.ts';
import { runDetails, summaryOf } from '../run-details.ts';
import { later } from './later.ts';

export const runs: HandlersOf<'runs'> = {
  'runs.start': later,
  'runs.list': ({ core }) => core.runs.list().map(summaryOf),
  'runs.get': ({ core, runs }, { run }) => runDetails(core, run, () => runs.progressOf(run)),
  'runs.metrics': ({ core }, { run, after }) => core.runs.measured(core.runs.get(run).run).metrics.filter(({ step }) => step > after),
  'runs.probes': later,
  'runs.pause': later,
  'runs.resume': async ({ core, runs }, { run }) => {
    await runs.begin((onEvent) => core.runs.resume(run, core.compute, onEvent));
    return null;
  },
  'runs.stop': later,
  'runs.cancel': later,
  'runs.rename': later,
  'runs.delete': later,
  'runs.undelete': later,
  'runs.diff': later,
};
