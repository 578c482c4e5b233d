// Drafts over a small home.
import { onTestFinished } from 'vitest';
import { Home } from '../../main/home.ts';
import { DraftService } from '../../main/services/drafts.ts';
import { ModelService } from '../../main/services/model.ts';
import { openDatabase, type Db } from '../../main/store/db.ts';
import { DraftStore } from '../../main/store/drafts.ts';
import { ModelStore } from '../../main/store/models.ts';
import { RunStore } from '../../main/store/runs.ts';
import { personaSchema, type Persona, type PersonaInput } from '../../shared/persona.ts';
import { temporaryFolder } from './files.ts';

export interface TinyDrafts {
  home: Home;
  db: Db;
  runs: RunStore;
  store: DraftStore;
  drafts: DraftService;
}

/** The draft service of a home, opened anew: a second call on the same folder is the program started again. */
export function tinyDrafts(folder = temporaryFolder()): TinyDrafts {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  const [runs, store] = [new RunStore(db), new DraftStore(db)];
  const models = new ModelService(home, new ModelStore(db), { log: () => undefined, onBytes: () => undefined });
  const drafts = new DraftService(home, store, runs, models);
  onTestFinished(() => {
    drafts.close();
    db.close();
  });
  return { home, db, runs, store, drafts };
}

export function persona(change: Partial<PersonaInput> = {}): Persona {
  return personaSchema.parse({ owner: 'Ann', name: 'Bo', languages: ['en'], ...change });
}
