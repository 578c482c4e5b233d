// Preload: the only bridge between the page and main. It runs in a world of its own and gives the page named functions,
// never ipcRenderer, its events or a channel of the page's choice.
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { isRequestName, type ApiEvent, type Reply } from '../shared/api.ts';
import { channels, languageArgument, type WindowApi } from '../shared/window-api.ts';

const api: WindowApi = {
  request: (name, input) => {
    if (isRequestName(name)) return ipcRenderer.invoke(channels.request, name, input) as Promise<Reply>;
    return Promise.resolve({ ok: false, error: { code: 'request.unknown', detail: String(name).slice(0, 100), params: {} } });
  },
  onEvents: (listener) => {
    const take = (_event: unknown, events: ApiEvent[]): void => {
      try {
        listener(events);
      } finally {
        ipcRenderer.send(channels.eventsTaken);
      }
    };
    ipcRenderer.on(channels.events, take);
    ipcRenderer.send(channels.eventsTaken);
    return () => void ipcRenderer.off(channels.events, take);
  },
  files: {
    choose: (kind) => ipcRenderer.invoke(channels.chooseFile, kind) as Promise<Reply>,
    // The path goes to main over a channel of its own; the page gets an id.
    fromDrop: (file, kind) => ipcRenderer.invoke(channels.dropFile, webUtils.getPathForFile(file as File), kind) as Promise<Reply>,
  },
  platform: process.platform,
  language: process.argv.includes(`${languageArgument}zh`) ? 'zh' : 'en',
};

contextBridge.exposeInMainWorld('api', api);
