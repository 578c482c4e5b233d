// Opens the person's browser at an address that must stand in no command line, which every user of the machine can read: the
// browser gets a file of the person's own that goes on to it.
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Language } from '../../shared/persona.ts';
import { onDisk } from '../disk.ts';
import { forwardPage } from './page.ts';

/** The command that opens a file or an address as the person's system does. */
function opener(target: string): [string, string[]] {
  if (process.platform === 'darwin') return ['open', [target]];
  if (process.platform === 'win32') return ['rundll32', ['url.dll,FileProtocolHandler', target]];
  return ['xdg-open', [target]];
}

/**
 * Opens `address` in the person's browser by way of FOLDER/serve.html; returns what removes that file. `onFail` hears where
 * there is no browser to open. Throws disk.full or disk.unwritable.
 */
export function openInBrowser(folder: string, address: string, language: Language, onFail: () => void): () => void {
  const path = join(folder, 'serve.html');
  onDisk(path, () => {
    // A new file: the mode of one that is there already would stay as it is.
    rmSync(path, { force: true });
    writeFileSync(path, forwardPage(language, address), { flag: 'wx', mode: 0o600 });
  });
  const [command, args] = opener(pathToFileURL(path).href);
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', onFail);
  child.on('exit', (code) => {
    if (code !== 0) onFail();
  });
  child.unref();
  return () => rmSync(path, { force: true });
}
