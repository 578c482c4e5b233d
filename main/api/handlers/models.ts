// Models: the catalogue, what is here, what is fetched.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const models: HandlersOf<'models'> = {
  'models.list': later,
  'models.download': later,
  'models.pause': later,
  'models.remove': later,
  'models.add': later,
  'models.memory': later,
};
