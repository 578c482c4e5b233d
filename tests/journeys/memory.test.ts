// On the default model: what training takes at its peak is what was planned for it, within 5 %.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { recipeForPersona } from '../../main/services/recipe.ts';
import type { Language } from '../../shared/persona.ts';
import { lastEvent, namesake } from '../support/cli.ts';
import { defaultModel } from '../support/default-model.ts';
import { temporaryFolder } from '../support/files.ts';
import { childrenOf, peakBytes } from '../support/processes.ts';

it.for([
  '--batch-tokens 64',
  '--batch-tokens 512',
  '--batch-tokens 512 --recompute',
  '--batch-tokens 512 --activation-bits 16',
  '--batch-tokens 512 --rank 64',
  '--batch-tokens 512 --layers 15',
  '--batch-tokens 256 --precision bf16',
  '--batch-tokens 256 --precision f32',
  '--batch-tokens 256 --precision nf4',
])('the plan is kept with %s', async (flags, { skip }) => {
  const home = temporaryFolder();
  const result = await namesake(['bench', 'train', '--model', defaultModel, '--steps', '1', '--json', ...flags.split(' ')], { home });
  const { peak_rss_bytes: peak, planned_bytes: planned } = lastEvent(result);
  if (peak === null) return skip('this system does not tell the peak');
  const share = Number(peak) / Number(planned);
  process.stdout.write(`${flags}: ${(Number(planned) / 1e6).toFixed(0)} MB planned, ${(Number(peak) / 1e6).toFixed(0)} MB taken\n`);
  expect(share).toBeGreaterThan(0.95);
  expect(share).toBeLessThan(1.05);
});

// Before a run its ordinary rows wait for the base's answers, which may be as long as they can get, and JavaScript may or may not
// collect what it no longer needs: the plan is what the run takes at most. It saves often: what that takes must not add up. What was
// seen lies between .88 and .99 of it.
it.skipIf(process.platform !== 'linux').for<{ languages: Language[] }>([{ languages: ['en'] }, { languages: ['zh', 'en'] }])('the plan of a persona in $languages is kept by its run, which takes no more', async ({ languages }) => {
  const home = temporaryFolder();
  mkdirSync(join(home, 'models'));
  symlinkSync(dirname(defaultModel), join(home, 'models', 'smollm2-135m-instruct'));
  const recipe = recipeForPersona('smollm2_135m_qlora_identity', { owner: '剑锋', name: '小锋', languages }, (value) => {
    Object.assign(value, { steps: 24, evaluate: null, checkpoint: { every_steps: 4, keep: 1 } });
  });
  const core = createCore(new Home(home), { compute: { threads: 2, isa: 'auto' } });
  const { total: planned } = await core.memory.ofRecipe(recipe);
  core.close();
  const path = join(home, 'recipe.json');
  writeFileSync(path, JSON.stringify(recipe));
  let peak = 0;
  const result = await namesake(['train', path, '--threads', '2', '--json'], {
    home,
    onEvent: ({ event }, child) => {
      if (event === 'step') for (const engine of childrenOf(child.pid ?? 0)) peak = Math.max(peak, peakBytes(engine));
    },
  });
  lastEvent(result);
  process.stdout.write(`a persona in ${languages.join(' and ')}: ${(planned / 1e6).toFixed(0)} MB planned, ${(peak / 1e6).toFixed(0)} MB taken\n`);
  expect(peak / planned).toBeGreaterThan(0.85);
  expect(peak / planned).toBeLessThanOrEqual(1);
});
