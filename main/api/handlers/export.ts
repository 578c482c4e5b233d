// Taking it home.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const exporting: HandlersOf<'export'> = { 'export.adapter': later };
