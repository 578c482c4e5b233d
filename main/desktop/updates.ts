// Updates: only an installed app whose package names a server looks for a newer one, and nothing waits for it.
import { app } from 'electron';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { traceOf, type Log } from '../log.ts';

/** What electron-builder writes beside the app where an update server is configured. */
function isConfigured(): boolean {
  return app.isPackaged && existsSync(join(process.resourcesPath, 'app-update.yml'));
}

/** Looks for an update in the background; it is installed when the app quits. What fails is one line of the log. */
export async function lookForUpdates(log: Log): Promise<void> {
  if (!isConfigured()) return;
  try {
    const { default: updater } = await import('electron-updater');
    updater.autoUpdater.logger = null;
    updater.autoUpdater.allowDowngrade = false;
    await updater.autoUpdater.checkForUpdatesAndNotify();
  } catch (error) {
    log.warn(traceOf(error), 'no update could be looked for');
  }
}
