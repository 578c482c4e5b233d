// Crash reporter: dumps of crashes of all processes, for the person alone: they never leave the machine.
import { app, crashReporter } from 'electron';

/** Collects dumps in `folder` from now on. As early as can be, before the app is ready. */
export function collectCrashes(folder: string): void {
  app.setPath('crashDumps', folder);
  crashReporter.start({ uploadToServer: false });
}
