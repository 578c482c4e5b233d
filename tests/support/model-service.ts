// The model service of a home, and hubs that answer for it.
import { createHash } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { Home } from '../../main/home.ts';
import { ModelService, type ModelOptions } from '../../main/services/model.ts';
import { openDatabase } from '../../main/store/db.ts';
import { ModelStore } from '../../main/store/models.ts';
import { RunStore } from '../../main/store/runs.ts';
import type { Hub } from '../../tools/hubs.mjs';
import type { HubServer } from './hub-server.ts';

/** A test waits for nobody: what is lost is asked for once more at once. */
const patience = { attempts: 2, pauseMs: 1, longestWaitMs: 50, idleMs: 5000, headMs: 5000 };

/** Bytes that are the same for the same name. */
export function bytes(name: string, length = 50_000): Buffer {
  return createHash('shake256', { outputLength: length }).update(name).digest();
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The service of a home with these hubs; `lines` is what it says of its downloads. */
export function serviceOf(folder: string, hubs: Hub[], options: ModelOptions = {}) {
  const home = new Home(folder);
  const db = openDatabase(home.database);
  onTestFinished(() => {
    db.close();
  });
  const store = new ModelStore(db);
  const lines: string[] = [];
  const service = new ModelService(home, store, { log: (line) => lines.push(line), onBytes: () => undefined }, { hubs: () => hubs, patience, ...options });
  return { service, store, lines, runs: new RunStore(db), home };
}

/** The server as Hugging Face. */
export function huggingFace({ base }: HubServer, token: string | null = null): Hub {
  return { kind: 'huggingface', base, token };
}

/** The server as ModelScope. */
export function modelScope({ base }: HubServer, token: string | null = null): Hub {
  return { kind: 'modelscope', base, token };
}

/** A file of 50 kB that stands for a model. */
export const q8 = bytes('q8');
