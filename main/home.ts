// Home: every path of the user's data. One folder holds it all; removing it removes everything.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export class Home {
  readonly folder: string;

  /** `folder` as given by --home; else NAMESAKE_HOME; else ~/.namesake. */
  constructor(folder?: string) {
    this.folder = resolve(folder ?? (process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake')));
  }

  get database(): string {
    return join(this.folder, 'namesake.db');
  }

  /** Held by the one process that trains. */
  get trainerLock(): string {
    return join(this.folder, 'trainer.lock');
  }

  get logs(): string {
    return join(this.folder, 'logs');
  }

  /** Files on their way in through a door. */
  get uploads(): string {
    return join(this.folder, 'uploads');
  }

  /** Dumps of crashes; they stay on this machine. */
  get crashes(): string {
    return join(this.folder, 'crashes');
  }

  /** What the desktop's browser keeps for itself. */
  get windowData(): string {
    return join(this.folder, 'window');
  }

  /** Place and size of the desktop's window. */
  get windowState(): string {
    return join(this.folder, 'window.json');
  }

  /** A person's own evaluation questions, by draft. */
  get questions(): string {
    return join(this.folder, 'questions');
  }

  get runs(): string {
    return join(this.folder, 'runs');
  }

  /** What was exported for people to take elsewhere. */
  get exports(): string {
    return join(this.folder, 'exports');
  }

  /** What was made to be downloaded by a browser, for some days: nothing else is written here. */
  get downloads(): string {
    return join(this.exports, 'downloads');
  }

  /** Weights as nf4, by what they were made from: mapped where a model is opened again. */
  get quantized(): string {
    return join(this.folder, 'models', 'nf4');
  }

  run(id: string): RunFolder {
    return new RunFolder(join(this.runs, id));
  }

  /** Folders of deleted runs, by their ids, until they can no longer be brought back. */
  get trash(): string {
    return join(this.folder, 'trash');
  }
}

/** HOME/runs/ID: the run on disk. */
export class RunFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  get recipe(): string {
    return join(this.folder, 'recipe.json');
  }

  /** The rows that a run was started with, some not answered yet; goes when rows.jsonl is there. */
  get draft(): string {
    return join(this.folder, 'draft.jsonl');
  }

  get rows(): string {
    return join(this.folder, 'rows.jsonl');
  }

  get tokens(): string {
    return join(this.folder, 'tokens.bin');
  }

  /** A copy of the person's own evaluation questions, where the recipe names some. */
  get questions(): string {
    return join(this.folder, 'questions.json');
  }

  /** A copy of the adapter that training starts from, where the recipe names one. */
  get init(): string {
    return join(this.folder, 'init');
  }

  get provenance(): string {
    return join(this.folder, 'provenance.json');
  }

  /** The chosen adapter in PEFT's layout. */
  get adapter(): string {
    return join(this.folder, 'adapter');
  }

  get checkpoints(): string {
    return join(this.folder, 'checkpoints');
  }

  checkpoint(step: number): string {
    return join(this.checkpoints, `step-${String(step).padStart(6, '0')}`);
  }
}
