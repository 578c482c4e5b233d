// Window API: what the desktop's preload puts into the page as window.api, and nothing else. The browser door has no such
// object: there the page talks over its web socket and uploads.
import type { ApiEvent, Reply, RequestName } from './api.ts';
import type { Language } from './persona.ts';

/** The channels between preload and main. */
export const channels = {
  request: 'request',
  chooseFile: 'files.choose',
  dropFile: 'files.drop',
  events: 'events',
  /** The page listens, or has taken the last events: more may come. */
  eventsTaken: 'events.taken',
} as const;

/** How main tells preload the system's language: --namesake-language=zh. */
export const languageArgument = '--namesake-language=';

/** What a person may hand over: a file of rows, a model's file, or a folder with a model. */
export const fileKinds = ['rows', 'model', 'model_folder'] as const;
export type FileKind = (typeof fileKinds)[number];

/** The result of a file that was handed over: its id, never its path. */
export interface HandedFile {
  file: string;
  name: string;
}

export interface WindowApi {
  /** A request of shared/api.ts; never rejects for an error that has a code. */
  request(name: RequestName, input: unknown): Promise<Reply>;
  /** Hears the core's events, merged, from now on; returns the un-listener. */
  onEvents(listener: (events: ApiEvent[]) => void): () => void;
  files: {
    /** Asks the person for a file or folder; the result is a HandedFile, or null where they chose none. */
    choose(kind: FileKind): Promise<Reply>;
    /** A DOM File that was dropped on the page (or chosen in it); the result is a HandedFile. */
    fromDrop(file: object, kind: FileKind): Promise<Reply>;
  };
  platform: string;
  /** The system's language, where the settings do not name one. */
  language: Language;
}
