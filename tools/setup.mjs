// @ts-check
// Set-up: packages, bundles, addon and the default model. Built-ins only, since it runs before `npm ci`; the steps are
// loaded after the check of Node's version, which must work on old ones.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { endChildrenOnSignals } from './child.mjs';
import { nodeProblem } from './requirements.mjs';

/** @param {string} home @param {boolean} withModel @returns {Promise<number>} the exit code */
async function main(home, withModel) {
  const advice = nodeProblem(process.versions.node, process.platform, process.arch);
  if (advice !== null) {
    process.stderr.write(`${advice}\n`);
    return 1;
  }
  const { setUp, SetupError } = await import('./setup-steps.mjs');
  try {
    await setUp(home, withModel);
    return 0;
  } catch (error) {
    // A file-system error says what and where; anything else without advice is a defect, whose place is wanted.
    const plain = error instanceof SetupError || (error instanceof Error && ('code' in error || 'reasons' in error));
    process.stderr.write(`${plain ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

const { values } = parseArgs({
  options: { home: { type: 'string' }, 'no-model': { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) process.stdout.write('usage: npm run setup -- [--home DIR] [--no-model]\n');
else {
  endChildrenOnSignals();
  const home = values.home ?? (process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake'));
  process.exitCode = await main(home, values['no-model'] !== true);
}
