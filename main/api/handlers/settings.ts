// Settings and tokens. Windows hear of changes by the service's own event.
import type { HandlersOf } from '../handlers.ts';

export const settings: HandlersOf<'settings'> = {
  'settings.get': ({ core }) => core.settings.get(),
  'settings.set': ({ core }, change) => core.settings.set(change),
  'settings.tokens': async ({ core }) => ({ huggingface: await core.tokens.kept('huggingface'), modelscope: await core.tokens.kept('modelscope') }),
  'settings.set_token': async ({ core }, { source, token }) => ({ kept: await core.tokens.set(source, token) }),
};
