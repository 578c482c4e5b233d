// bench make: assistants for several names and seeds, measured on probes/report, which no training or choice ever saw.
import { Option, type Command } from 'commander';
import { NamesakeError } from '../../../shared/errors.ts';
import { loadProbes } from '../../resources.ts';
import { Evaluation } from '../../services/evaluation.ts';
import { recipeOn } from '../../services/beginning.ts';
import { openToAnswer } from '../../services/placement.ts';
import type { PersonaInput } from '../../../shared/persona.ts';
import type { Scores } from '../../../shared/run.ts';
import { createContext, type Context } from '../context.ts';
import { wholeNumber } from '../number-option.ts';

/** Three owner/name pairs: mixed scripts, Chinese without an English form, Latin. */
const pairs: readonly Pick<PersonaInput, 'owner' | 'name' | 'owner_en' | 'name_en'>[] = [
  { owner: '剑锋大佬', name: '小锋' },
  { owner: '陈小明', name: '墨墨', owner_en: 'Chen Xiaoming', name_en: 'Momo' },
  { owner: 'Maria', name: 'Piggy' },
];

interface Measured {
  owner: string;
  name: string;
  seed: number;
  right: boolean;
  chosen_step: number;
  steps: number;
  seconds: number;
  /** On the probes that were asked for. */
  scores: Scores;
}

/** Scores of a finished run's adapter on a probe set. */
async function measure(context: Context, run: string, probes: 'choose' | 'report'): Promise<Scores> {
  const { recipe } = context.runs.get(run);
  const model = await context.models.locate(recipe.model.ref);
  const { engine } = await openToAnswer(context.startEngine, { path: model.path, precision: recipe.model.precision, device: recipe.device, ...context.compute });
  try {
    await engine.useAdapter({ kind: 'folder', folder: context.home.run(run).adapter });
    const persona = recipe.data.persona;
    if (persona === null) throw new Error('a run of a persona has one');
    const evaluation = new Evaluation(engine, persona, loadProbes(probes), recipe.data.systems[0] ?? null);
    return (await evaluation.tuned('report')).scores;
  } finally {
    await engine.dispose();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Median and worst over runs: low is bad for recall, high is bad for everything else. */
function summary(runs: readonly Measured[]): Record<string, { median: number; worst: number }> {
  const of = (pick: (scores: Scores) => number | undefined, lowIsBad: boolean): { median: number; worst: number } => {
    const values = runs.flatMap(({ scores }) => pick(scores) ?? []);
    return { median: median(values), worst: lowIsBad ? Math.min(...values) : Math.max(...values) };
  };
  return {
    'recall zh': of(({ zh }) => zh?.recall, true),
    'recall en': of(({ en }) => en?.recall, true),
    'leak zh': of(({ zh }) => zh?.leak, false),
    'leak en': of(({ en }) => en?.leak, false),
    'perplexity ratio': of(({ retention }) => retention.perplexity_ratio, false),
    seconds: {
      median: median(runs.map(({ seconds }) => seconds)),
      worst: Math.max(...runs.map(({ seconds }) => seconds)),
    },
  };
}

export function addBenchMake(bench: Command): void {
  bench
    .command('make')
    .description('assistants for three owner/name pairs and several seeds, scored on held-out probes')
    .option('--seeds <list>', 'seeds, parted by commas', (list: string) => list.split(',').map(wholeNumber(0)), [1, 2, 3])
    .option('--pairs <n>', 'how many of the pairs', wholeNumber(1), pairs.length)
    .option('--skip <n>', 'how many of them to leave out, from the first on: a part of the table', wholeNumber(0), 0)
    .option('--recipe <name>', 'a shipped recipe', '')
    .addOption(new Option('--probes <set>').choices(['choose', 'report']).default('report'))
    .action(async (flags: { seeds: number[]; pairs: number; skip: number; recipe: string; probes: 'choose' | 'report' }, command: Command) => {
      if (flags.skip >= Math.min(flags.pairs, pairs.length)) throw new NamesakeError('usage.invalid', `--skip ${flags.skip} leaves no pair`);
      const context = createContext(command);
      const { output, runs, models, compute } = context;
      const model = await models.locate(models.default);
      const beginning = await models.beginning(model.id);
      const measured: Measured[] = [];
      for (const pair of pairs.slice(flags.skip, flags.pairs)) {
        for (const seed of flags.seeds) {
          const recipe = recipeOn(model.id, { ...beginning, ...(flags.recipe !== '' && { recipe: flags.recipe }) }, pair, (value) => {
            value['seed'] = seed;
          });
          const result = await runs.start(recipe, compute, () => undefined);
          const scores = flags.probes === 'choose' && result.scores !== null ? result.scores : await measure(context, result.run, flags.probes);
          const one = {
            owner: pair.owner,
            name: pair.name,
            seed,
            right: result.right === true,
            chosen_step: result.chosen_step,
            steps: result.steps,
            seconds: result.seconds,
            scores,
          };
          measured.push(one);
          output.event({ event: 'run', run: result.run, ...one });
          if (!output.json) {
            const cell = (value: number | undefined): string => (value ?? Number.NaN).toFixed(3);
            output.print(
              `| ${pair.owner} / ${pair.name} | ${seed} | ${result.chosen_step} | ${cell(scores.zh?.recall)} | ${cell(scores.en?.recall)} | ${cell(scores.zh?.leak)} | ${cell(scores.en?.leak)} | ${cell(scores.retention.perplexity_ratio)} | ${result.seconds.toFixed(0)} |`,
            );
          }
        }
      }
      const table = summary(measured);
      output.event({ event: 'result', probes: flags.probes, runs: measured.length, summary: table });
      if (!output.json) {
        for (const [what, { median: middle, worst }] of Object.entries(table)) {
          output.print(`${what}: median ${middle.toFixed(3)}, worst ${worst.toFixed(3)}`);
        }
      }
    });
}
