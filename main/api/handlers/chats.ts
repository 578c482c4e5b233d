// Chats. What is spoken streams by events; the reply comes after the last of them.
import type { HandlersOf } from '../handlers.ts';
import { checkModel } from '../model-ref.ts';

export const chats: HandlersOf<'chats'> = {
  'chats.open': async ({ core, queues }, { target, system }) => {
    if ('model' in target) checkModel(core, target.model);
    await core.tokens.load();
    return queues.chat.run(() => core.chat.open(target, system));
  },
  'chats.reopen': ({ core }, { chat }) => core.chat.reopen(chat),
  'chats.say': async ({ core, hub }, { chat, ...utterance }) => {
    try {
      const { answers, dropped_turns, tokens_per_second } = await core.chat.say(chat, utterance);
      return { answers, dropped_turns, tokens_per_second };
    } finally {
      hub.flush();
    }
  },
  'chats.cancel': async ({ core }, { chat }) => {
    await core.chat.cancel(chat);
    return null;
  },
  'chats.close': async ({ core }, { chat }) => {
    await core.chat.close(chat);
    return null;
  },
  'chats.list': ({ core }) => core.chat.list(),
  'chats.delete': async ({ core }, { chat }) => {
    await core.chat.delete(chat);
    return null;
  },
};
