// The model that set-up fetches, for the few tests that need a real one.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { catalogueSchema } from '../../shared/model.ts';
import { readJson, root } from './files.ts';

const catalogue = catalogueSchema.parse(readJson(join(root, 'resources/models.json')));
const entry = catalogue.models.find(({ id }) => id === catalogue.default);

/** The file of the default model in the person's own home, where `npm run setup` puts it. */
export const defaultModel = join(
  process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake'),
  'models',
  entry?.id ?? '',
  entry?.file ?? '',
);
