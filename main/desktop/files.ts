// Files: what a person chooses in the system's dialog or drops on the window. The page gets an id and a name, never a path.
import { app, dialog, type BrowserWindow } from 'electron';
import { basename, extname, isAbsolute } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import { translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import { fileKinds, type FileKind, type HandedFile } from '../../shared/window-api.ts';
import type { FileDesk } from '../services/file-desk.ts';

const EXTENSIONS: Record<FileKind, string[]> = { rows: ['jsonl', 'json'], model: ['gguf'] };

/** A kind as the page names it. Throws request.invalid. */
export function parseKind(value: unknown): FileKind {
  const kind = fileKinds.find((one) => one === value);
  if (kind === undefined) throw new NamesakeError('request.invalid', 'kind: which one?');
  return kind;
}

function hand(desk: FileDesk, path: string): HandedFile {
  const name = basename(path);
  return { file: desk.receive(path, name, { temporary: false }), name };
}

/** Asks for a file in the system's dialog; null where the person chooses none. */
export async function chooseFile(window: BrowserWindow, desk: FileDesk, kind: FileKind, language: Language): Promise<HandedFile | null> {
  const { filePaths } = await dialog.showOpenDialog(window, {
    properties: ['openFile'],
    // The system no longer remembers where the person was last.
    defaultPath: app.getPath('downloads'),
    filters: [{ name: translate(language, `files.${kind}`), extensions: EXTENSIONS[kind] }],
  });
  const [path] = filePaths;
  return path === undefined ? null : hand(desk, path);
}

/**
 * A file that was dropped on the page. Its path comes from the preload; a page that took over its own process could make one
 * up, so only kinds of files that the app reads anyway are taken. Throws request.invalid, file.unknown.
 */
export function dropFile(desk: FileDesk, kind: FileKind, path: unknown): HandedFile {
  if (typeof path !== 'string' || !isAbsolute(path) || !EXTENSIONS[kind].includes(extname(path).slice(1).toLowerCase())) {
    throw new NamesakeError('request.invalid', `file: not one of .${EXTENSIONS[kind].join(', .')}`);
  }
  return hand(desk, path);
}
