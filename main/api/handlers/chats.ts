// Chats.
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const chats: HandlersOf<'chats'> = {
  'chats.open': later,
  'chats.reopen': later,
  'chats.say': later,
  'chats.cancel': later,
  'chats.close': later,
  'chats.list': later,
  'chats.delete': later,
};
