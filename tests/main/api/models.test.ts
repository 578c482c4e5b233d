// Models behind the API: a download is heard of by every window, whoever asked for it.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { ApiEvent } from '../../../shared/api.ts';
import { hubServer } from '../../support/hub-server.ts';
import { listener, tinyApi } from '../../support/tiny-api.ts';
import { tinyModel } from '../../support/tiny-run.ts';

it('a model of a hub is fetched in the background, told to all windows, and then here', async () => {
  const data = readFileSync(tinyModel);
  const server = await hubServer({ 'o/tiny': { files: { 'quants/tiny-Q8_0.gguf': data }, licence: 'llama3.2' } });
  const tiny = tinyApi();
  const { ask, refused } = tiny;
  await ask('settings.set', { endpoint: server.base, sources: ['hf-mirror'] });
  const model = 'hf:o/tiny@main#quants/tiny-Q8_0.gguf';
  const windows = [listener(tiny.api), listener(tiny.api)];
  expect(await refused('models.download', { model, accept_licence: false })).toBe('model.licence_required');
  await ask('models.download', { model, accept_licence: true });
  const isDone = (event: ApiEvent): boolean => event.event === 'download' && event.model === model && event.state === 'done';
  while (!windows.every(({ events }) => events.some(isDone))) await sleep(10);
  for (const { events } of windows) {
    // The list is another one after the file is there.
    while (events.findLastIndex(({ event }) => event === 'models') < events.findIndex(isDone)) await sleep(10);
  }
  const card = (await ask('models.list', {})).find(({ id }) => id === model);
  expect(card).toMatchObject({ here: true, size_bytes: data.length, download: null });
  expect(readFileSync(card?.path ?? '').equals(data)).toBe(true);
  const { recipe } = await ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] }, model });
  expect(recipe.model.ref).toBe(model);
  await ask('models.remove', { model });
  expect((await ask('models.list', {})).some(({ id, here }) => id === model && here)).toBe(false);
});

it.each(['hf:o/..', 'hf:o/n@../../x', 'hf:o/n#../../x.gguf', 'modelscope:../n'])('%j leads nowhere', async (model) => {
  expect(await tinyApi().refused('models.download', { model, accept_licence: true })).toMatch(/^(model\.source_unsupported|request\.invalid)$/);
});
