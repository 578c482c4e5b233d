// Settings and tokens.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const settings: HandlersOf<'settings'> = { 'settings.get': later, 'settings.set': later, 'settings.set_token': later };
