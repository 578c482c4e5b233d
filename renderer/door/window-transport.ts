// Window transport: the desktop door, over what its preload puts into the page. It is open as long as the page is.
import type { ApiEvent } from '../../shared/api.ts';
import type { WindowApi } from '../../shared/window-api.ts';
import type { Transport } from './transport.ts';

/** Talks through `api`, which is window.api in the desktop app. */
export function windowTransport(api: WindowApi): Transport {
  let unsubscribe = (): void => undefined;
  return {
    start: (listener) => {
      unsubscribe = api.onEvents((events: ApiEvent[]) => listener.onEvents(events));
      listener.onConnection('open');
    },
    request: (name, input) => api.request(name, input),
    handOver: (file, kind) => api.files.fromDrop(file, kind),
    chooseFile: (kind) => api.files.choose(kind),
    close: () => unsubscribe(),
  };
}
