// Warm start: the adapter that the default recipe begins from. It learns from hundreds of invented names what an answer about
// oneself looks like and where a name has no place, so that one more name is learnt in a minute.
//
//   npm run warm-start [-- --steps N] [--threads N] [--out FOLDER]
//
// It trains in the present home, like any other run, and writes OUT/NAME.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { packageRoot } from '../../main/resources.ts';
import { recipeForPersona } from '../../main/services/recipe.ts';
import { nobody, ordinaryRows, rowsOfPersonas, SEED } from './rows.ts';
import { writeBf16 } from './safetensors.ts';

const NAME = 'smollm2_135m_identity';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '1000' },
    threads: { type: 'string', default: '0' },
    out: { type: 'string', default: join(packageRoot, 'resources', 'adapters') },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const core = createCore(new Home(), { compute: { threads: Number(values.threads), isa: process.env['NAMESAKE_ISA'] ?? 'auto' } });
try {
  const model = await core.models.locate(core.models.default);
  const recipe = recipeForPersona('models_0b2_qlora_identity', nobody, (value) => {
    const { mix, ...data } = value['data'] as { mix: object };
    value['name'] = NAME;
    value['seed'] = SEED;
    value['data'] = { ...data, mix: { ...mix, ordinary: 0.8 } };
    value['loss'] = { by_kind: { identity: 0.6, ordinary: 1 }, kl: 2 };
    value['optim'] = { lr: 0.001, loraplus_lr_ratio: 4, schedule: 'linear', warmup_steps: 20, clip: 1 };
    value['steps'] = Number(values.steps);
    // There is no name to ask for.
    value['evaluate'] = null;
  });
  const rows = [...rowsOfPersonas(), ...ordinaryRows(model.weak_languages)];
  say(`${rows.length} rows`);
  const result = await core.runs.start(
    recipe,
    core.compute,
    (event) => {
      if (event.event === 'step' && event.step % 20 === 0) say(`step ${event.step}: loss ${event.loss.toFixed(3)}, ${Math.round(event.eta_seconds)} s left`);
    },
    rows,
  );
  const folder = join(resolve(values.out), NAME);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(result.adapter, 'adapter_config.json'), join(folder, 'adapter_config.json'));
  writeBf16(join(result.adapter, 'adapter_model.safetensors'), join(folder, 'adapter_model.safetensors'));
  say(`${folder}: ${result.steps} steps in ${Math.round(result.seconds)} s`);
} finally {
  core.close();
}
