// The page: which door it came through, and the app in it.
import { mount } from 'svelte';
import type { WindowApi } from '../shared/window-api.ts';
import { Api } from './api.ts';
import Frame from './Frame.svelte';
import { ownDoor, socketTransport } from './door/socket-transport.ts';
import { windowTransport } from './door/window-transport.ts';
import { App } from './state/app.svelte.ts';

declare global {
  interface Window {
    /** What the desktop's preload gives; a browser has none. */
    readonly api?: WindowApi;
  }
}

const transport = window.api === undefined ? socketTransport(ownDoor(location.href)) : windowTransport(window.api);
mount(Frame, { target: document.body, props: { app: new App(new Api(transport)) } });
