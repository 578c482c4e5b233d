// On the default model: what training takes at its peak is what was planned for it, within 5 %.
import { expect, it } from 'vitest';
import { lastEvent, namesake } from '../support/cli.ts';
import { defaultModel } from '../support/default-model.ts';
import { temporaryFolder } from '../support/files.ts';

it.for([
  '--batch-tokens 64',
  '--batch-tokens 512',
  '--batch-tokens 512 --recompute',
  '--batch-tokens 512 --rank 64',
  '--batch-tokens 256 --precision bf16',
  '--batch-tokens 256 --precision f32',
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
