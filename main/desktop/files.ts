// Files: what a person chooses in the system's dialog or drops on the window, a folder with a model too. The page gets an id and a
// name, never a path.
import { app, dialog, type BrowserWindow } from 'electron';
import { statSync } from 'node:fs';
import { basename, extname, isAbsolute } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import { translate } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';
import { fileKinds, type FileKind, type HandedFile } from '../../shared/window-api.ts';
import type { FileDesk } from '../services/file-desk.ts';
import { isModelFolder } from '../services/model-parts.ts';

/** Of files; a folder has none. */
const EXTENSIONS: Record<Exclude<FileKind, 'model_folder'>, string[]> = { rows: ['jsonl', 'json'], model: ['gguf'] };

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

/**
 * Asks for a file or folder in the system's dialog; null where the person chooses none. Throws model.source_unsupported for a
 * folder without a model.
 */
export async function chooseFile(window: BrowserWindow, desk: FileDesk, kind: FileKind, language: Language): Promise<HandedFile | null> {
  // The system no longer remembers where the person was last.
  const defaultPath = app.getPath('downloads');
  const { filePaths } = await dialog.showOpenDialog(
    window,
    kind === 'model_folder'
      ? { properties: ['openDirectory'], defaultPath }
      : { properties: ['openFile'], defaultPath, filters: [{ name: translate(language, `files.${kind}`), extensions: EXTENSIONS[kind] }] },
  );
  const [path] = filePaths;
  if (path === undefined) return null;
  if (kind === 'model_folder' && !isModelFolder(path)) throw noModel(path);
  return hand(desk, path);
}

function noModel(path: string): NamesakeError {
  return new NamesakeError('model.source_unsupported', 'the folder has no config.json', { ref: basename(path) });
}

/**
 * A file that was dropped on the page, or a folder where a model is asked for. Its path comes from the preload; a page that took
 * over its own process could make one up, so only kinds of files that the app reads anyway are taken. Throws request.invalid,
 * file.unknown, or model.source_unsupported for a folder without a model.
 */
export function dropFile(desk: FileDesk, kind: FileKind, path: unknown): HandedFile {
  if (typeof path !== 'string' || !isAbsolute(path)) throw new NamesakeError('request.invalid', 'file: not a path');
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder && kind !== 'rows') {
    if (!isModelFolder(path)) throw noModel(path);
    return hand(desk, path);
  }
  const extensions = kind === 'model_folder' ? [] : EXTENSIONS[kind];
  if (!extensions.includes(extname(path).slice(1).toLowerCase())) {
    throw new NamesakeError('request.invalid', `file: not one of .${extensions.join(', .')}`);
  }
  return hand(desk, path);
}
