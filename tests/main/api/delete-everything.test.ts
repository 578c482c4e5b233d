// Everything that is the user's goes, nothing else does, and the home can be used at once.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { namesake } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';
import { addTinyModel, listener, tinyApi, tinyDraft } from '../../support/tiny-api.ts';
import { writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Every file under a folder, in order. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

it('what is the home’s goes, also while a run and a chat go on; what else lies there stays', async () => {
  const folder = temporaryFolder();
  const others = ['notes.txt', 'runs/my-own/data.csv', 'models/mine/model.gguf', 'logs/other.log', 'exports/photos/a.jpg', 'window/readme', 'uploads/keep.txt', 'crashes/keep.txt', 'trash/keep.txt'];
  for (const other of others) {
    mkdirSync(join(folder, other, '..'), { recursive: true });
    writeFileSync(join(folder, other), 'mine');
  }
  const tiny = tinyApi(folder);
  const { ask, core } = tiny;
  const window = listener(tiny.api);
  const model = await addTinyModel(tiny);
  const { run: done } = await ask('runs.start', { draft: await tinyDraft(tiny, 3, model) });
  while (tiny.api.activeRun !== null) await sleep(10);
  await ask('export.adapter', { run: done });
  const { run: deleted } = await ask('runs.start', { draft: await tinyDraft(tiny, 3, model) });
  while (tiny.api.activeRun !== null) await sleep(10);
  await ask('runs.delete', { run: deleted });
  const { chat } = await ask('chats.open', { target: { run: done } });
  await ask('chats.say', { chat, text: 'Hi', sides: ['after'], max_tokens: 3 });
  await ask('settings.set', { theme: 'dark' });
  const upload = core.files.temporaryPath();
  writeFileSync(upload, 'x');
  core.files.receive(upload, 'x', { temporary: true });
  // One that was cut off when a program died.
  writeFileSync(`${core.files.temporaryPath()}.part`, 'x');
  const { draft: questioned } = await ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] }, model });
  await ask('drafts.set_questions', { draft: questioned, questions: { identity: ['Who?'], ordinary: [] } });
  // What a kill left of such a file.
  writeFileSync(join(core.home.questions, `${questioned}.json.tmp`), 'x');
  await tiny.refused('runs.get', { run: 'none' });
  const { run } = await ask('runs.start', { draft: await tinyDraft(tiny, 100_000, model) });
  while ((await ask('runs.get', { run })).step < 2) await sleep(10);

  await ask('app.delete_everything', { confirm: 'delete everything' });
  const left = filesIn(folder).filter((name) => !/^namesake\.db(-wal|-shm)?$/.test(name));
  // The model's file is the person's own, where they had it.
  expect(left).toEqual([...others, 'Tiny.gguf'].sort());
  expect(readdirSync(join(folder, 'models'))).toEqual(['mine']);
  expect(tiny.api.activeRun).toBeNull();
  expect(await ask('runs.list', {})).toEqual([]);
  expect(await ask('chats.list', {})).toEqual([]);
  expect(await ask('settings.get', {})).toMatchObject({ theme: 'system' });
  while (!window.events.some(({ event }) => event === 'lost')) await sleep(10);

  // The same API goes on with an empty home.
  const again = (await ask('runs.start', { draft: await tinyDraft(tiny, 2) })).run;
  while (tiny.api.activeRun !== null) await sleep(10);
  expect(await ask('runs.get', { run: again })).toMatchObject({ status: 'done' });
  await ask('settings.set', { theme: 'light' });
  while (!window.events.some((event) => event.event === 'settings' && event.settings.theme === 'light')) await sleep(10);
});

it('is refused while another process trains, and nothing is gone', async () => {
  const folder = temporaryFolder();
  const tiny = tinyApi(folder);
  let refusal: Promise<string> | null = null;
  const child = await namesake(['train', writeRecipe(folder, { steps: 100_000 }), '--json'], {
    home: folder,
    onEvent: (event, process) => {
      if (event.event !== 'step' || refusal !== null) return;
      refusal = tiny.refused('app.delete_everything', { confirm: 'delete everything' });
      void refusal.finally(() => process.kill('SIGKILL'));
    },
  });
  expect(child.signal, child.stderr).toBe('SIGKILL');
  expect(await refusal).toBe('engine.busy');
  const [run] = await tiny.ask('runs.list', {});
  expect(run).toMatchObject({ status: 'interrupted' });
  expect(existsSync(join(tiny.core.home.runs, run?.run ?? ''))).toBe(true);
});

it('that fails halfway leaves windows that hear what goes on', async () => {
  const tiny = tinyApi();
  const window = listener(tiny.api);
  mkdirSync(join(tiny.core.home.folder, 'serve.html'));
  expect(await tiny.refused('app.delete_everything', { confirm: 'delete everything' })).toBe('internal');
  await tiny.ask('settings.set', { theme: 'dark' });
  while (!window.events.some((event) => event.event === 'settings')) await sleep(10);
  expect(window.events.filter(({ event }) => event === 'settings')).toHaveLength(1);
});

it('needs the very words', async () => {
  const { refused } = tinyApi();
  expect(await refused('app.delete_everything', {})).toBe('request.invalid');
  expect(await refused('app.delete_everything', { confirm: 'yes' })).toBe('request.invalid');
});
