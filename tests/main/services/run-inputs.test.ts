// What a run keeps of what its recipe names: its own copies, once.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Home, type RunFolder } from '../../../main/home.ts';
import { builtInAdapter } from '../../../main/resources.ts';
import { keepInputs, withKeptInputs } from '../../../main/services/run-inputs.ts';
import { recipeSchema, type Recipe } from '../../../shared/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { temporaryFolder } from '../../support/files.ts';

const shipped = 'built-in:smollm2_135m_identity';
const beginningFrom = (init_adapter: string): Recipe => recipeSchema.parse({ method: { init_adapter }, data: { persona: { owner: 'a', name: 'b' } } });

function newFolder(): RunFolder {
  const folder = new Home(temporaryFolder()).run('20260101-000000-abcdef');
  mkdirSync(folder.folder, { recursive: true });
  return folder;
}

it('an adapter that comes along becomes the run’s own', () => {
  const folder = newFolder();
  const recipe = beginningFrom(shipped);
  expect(withKeptInputs(folder, recipe)).toEqual(recipe);
  keepInputs(folder, recipe);
  for (const name of ['adapter_config.json', 'adapter_model.safetensors']) {
    expect(readFileSync(join(folder.init, name)).equals(readFileSync(join(builtInAdapter(shipped), name)))).toBe(true);
  }
  expect(withKeptInputs(folder, recipe).method.init_adapter).toBe(folder.init);
});

it('what was copied stays, whatever comes along with a later version', () => {
  const folder = newFolder();
  keepInputs(folder, beginningFrom(shipped));
  writeFileSync(join(folder.init, 'adapter_config.json'), 'as it was');
  for (const ref of [shipped, 'built-in:of-another-version']) keepInputs(folder, beginningFrom(ref));
  expect(readFileSync(join(folder.init, 'adapter_config.json'), 'utf8')).toBe('as it was');
});

it('one that does not come along is refused', () => {
  expect(thrownBy(() => { keepInputs(newFolder(), beginningFrom('built-in:none')); }).code).toBe('recipe.invalid'); // prettier-ignore
});
