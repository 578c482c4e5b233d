// Drafts: what an assistant is made from, before it becomes a run.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const drafts: HandlersOf<'drafts' | 'persona'> = {
  'persona.preview': later,
  'drafts.create': later,
  'drafts.from_run': later,
  'drafts.get': later,
  'drafts.change': later,
  'drafts.delete': later,
};
