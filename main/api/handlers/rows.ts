// Rows of a draft or a run.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const rows: HandlersOf<'rows'> = {
  'rows.page': later,
  'rows.edit': later,
  'rows.add': later,
  'rows.delete': later,
  'rows.undo': later,
  'rows.import': later,
};
