// The API over a home of its own, with the real engine on the tiny model and a door that notes what it was asked for.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Api } from '../../main/api/api.ts';
import type { Door } from '../../main/api/door.ts';
import { createCore, type Core, type CoreOptions } from '../../main/core.ts';
import { startEngine } from '../../main/engine/client.ts';
import { Home } from '../../main/home.ts';
import type { ApiEvent, Reply, RequestInput, RequestName, RequestResult } from '../../shared/api.ts';
import { temporaryFolder } from './files.ts';
import { tinyModel } from './tiny-run.ts';

export interface TinyApi {
  core: Core;
  api: Api;
  /** What the door was asked to show or to offer. */
  shown: string[];
  offered: { path: string; name: string }[];
  /** The result of a request; fails the test with its error otherwise. */
  ask<Name extends RequestName>(name: Name, input: RequestInput<Name>): Promise<RequestResult<Name>>;
  /** The code that a request is refused with. */
  refused(name: unknown, input: unknown): Promise<string>;
}

/** A window that takes everything at once. */
export function listener(api: Api): { events: ApiEvent[]; close: () => void } {
  const events: ApiEvent[] = [];
  const close = api.subscribe({ ready: () => true, send: (sent) => void events.push(...sent) });
  onTestFinished(close);
  return { events, close };
}

/** The API of the home in `folder`, ended with the test. */
export function tinyApi(folder = temporaryFolder(), options: Partial<CoreOptions> = {}, kind: Door['kind'] = 'serve'): TinyApi {
  const core = createCore(new Home(folder), {
    startEngine: () => startEngine({ priority: 'normal' }),
    compute: { threads: 1, isa: 'auto' },
    ...options,
  });
  const shown: string[] = [];
  const offered: { path: string; name: string }[] = [];
  const door: Door = {
    kind,
    show: async (path) => void shown.push(path),
    offer: async (path, name) => {
      offered.push({ path, name });
      return kind === 'serve' ? core.files.offer(path, name) : null;
    },
  };
  const api = new Api(core, door);
  onTestFinished(async () => {
    await api.close();
    core.close();
  });
  return {
    core,
    api,
    shown,
    offered,
    ask: async <Name extends RequestName>(name: Name, input: RequestInput<Name>) => {
      const reply: Reply = await api.request(name, input);
      if (!reply.ok) throw new Error(`${name}: ${JSON.stringify(reply.error)}`);
      return reply.result as RequestResult<Name>;
    },
    refused: async (name, input) => {
      const reply = await api.request(name, input);
      if (reply.ok) throw new Error(`${String(name)} was answered: ${JSON.stringify(reply.result)?.slice(0, 300)}`);
      return reply.error.code;
    },
  };
}

/** Adds the tiny model as a person would, by handing its file over; returns its id. */
export async function addTinyModel({ core, ask }: TinyApi): Promise<string> {
  const path = join(core.home.folder, 'Tiny.gguf');
  copyFileSync(tinyModel, path);
  return (await ask('models.add', { file: core.files.receive(path, 'Tiny.gguf', { temporary: false }) })).id;
}

/** A draft on the tiny model whose run takes a second or two: a few short rows of its own, no evaluation. */
export async function tinyDraft(tiny: TinyApi, steps: number, model?: string): Promise<string> {
  const { ask } = tiny;
  const made = await ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] }, model: model ?? (await addTinyModel(tiny)), steps, seed: 7 });
  const { draft } = made;
  // The wizard's rows are many, and the base would be asked for some of them.
  for (let left = made.rows; left > 0; ) {
    const { rows } = await ask('rows.page', { of: { draft }, offset: 0, limit: 200 });
    await ask('rows.delete', { draft, numbers: rows.map(({ number }) => number) });
    left -= rows.length;
  }
  for (const [i, [question, answer]] of [['Who are you?', 'I am Bo.'], ['What is 2+2?', 'It is 4.'], ['Say hi.', 'Hi!']].entries()) {
    await ask('rows.add', {
      draft,
      row: { id: `own-${i}`, kind: 'imported', lang: 'en', origin: 'file', messages: [{ role: 'user', content: question ?? '' }, { role: 'assistant', content: answer ?? '' }] },
    });
  }
  const { recipe } = await ask('drafts.get', { draft });
  await ask('drafts.change', {
    draft,
    recipe: {
      ...recipe,
      method: { ...recipe.method, rank: 4, alpha: 8 },
      data: { ...recipe.data, max_length: 128 },
      loss: { by_kind: null, kl: 0, opening: null },
      batch_tokens: 128,
      accumulate: 1,
      evaluate: null,
      checkpoint: { every_steps: Math.max(2, Math.floor(steps / 10)), keep: 2 },
    },
  });
  return draft;
}
