// What the stand-in has of Electron; `calls` and `trays` are for tests.
export { app } from './app.ts';
export { BrowserWindow } from './browser-window.ts';
export { ipcMain } from './ipc-main.ts';
export { calls } from './record.ts';
export { protocol, session } from './session.ts';
export {
  crashReporter,
  dialog,
  Menu,
  nativeImage,
  Notification,
  powerSaveBlocker,
  safeStorage,
  screen,
  shell,
  Tray,
  trays,
} from './system.ts';
export { utilityProcess } from './utility-process.ts';
