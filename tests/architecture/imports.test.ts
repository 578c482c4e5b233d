// The layer rules of eslint.config.js: each wrong import fails lint with advice, each right one passes.
import { ESLint } from 'eslint';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const eslint = new ESLint({ cwd: root });

/** The messages of no-restricted-imports and no-restricted-globals for `text` as the contents of `file`. */
async function complaints(file: string, text: string): Promise<string[]> {
  const source = file.endsWith('.svelte') ? `<script lang="ts">\n${text}</script>\n` : text;
  const [result] = await eslint.lintText(source, { filePath: join(root, file) });
  if (result === undefined) throw new Error(`eslint ignores ${file}`);
  const parsing = result.messages.find((message) => message.fatal === true);
  if (parsing !== undefined) throw new Error(parsing.message);
  return result.messages
    .filter((message) => message.ruleId === 'no-restricted-imports' || message.ruleId === 'no-restricted-globals')
    .map((message) => message.message);
}

const wrong: [file: string, path: string, advice: RegExp][] = [
  ['shared/run.ts', 'node:fs', /main\/services/],
  ['shared/run.ts', 'fs/promises', /main\/services/],
  ['shared/run.ts', 'electron', /main\/desktop/],
  ['shared/run.ts', '../main/home.ts', /downward/],
  ['renderer/api.ts', '../main/services/run.ts', /downward/],
  ['renderer/state/run.svelte.ts', 'node:path', /shared\/api\.ts/],
  ['renderer/api.ts', 'electron', /main\/desktop/],
  ['renderer/api.ts', '../preload/index.ts', /downward/],
  ['renderer/state/app.svelte.ts', '../door/transport.ts', /main\.ts and api\.ts/],
  ['renderer/state/app.svelte.ts', '../ui/Button.svelte', /no components/],
  ['renderer/state/runs.svelte.ts', '../screens/learn/rows.svelte.ts', /no components/],
  ['renderer/format.ts', './ui/Button.svelte', /no components/],
  ['renderer/ui/Button.svelte', '../api.ts', /properties/],
  ['renderer/ui/Button.svelte', '../state/app.svelte.ts', /properties/],
  ['renderer/ui/Button.svelte', '../screens/learn/LearnScreen.svelte', /properties/],
  ['renderer/ui/parts/Chart.svelte', '../../screens/learn/LearnScreen.svelte', /properties/],
  ['renderer/ui/Button.svelte', '../door/transport.ts', /main\.ts and api\.ts/],
  ['renderer/ui/Button.svelte', 'node:path', /shared\/api\.ts/],
  ['renderer/screens/learn/LearnScreen.svelte', '../train/TrainScreen.svelte', /renderer\/ui/],
  ['renderer/screens/learn/rows.svelte.ts', '../train/curve.svelte.ts', /renderer\/ui/],
  ['renderer/screens/learn/parts/Row.svelte', '../../train/TrainScreen.svelte', /renderer\/ui/],
  ['renderer/screens/learn/LearnScreen.svelte', '../../screens/train/TrainScreen.svelte', /renderer\/ui/],
  ['renderer/screens/learn/LearnScreen.svelte', '../../frame/Sidebar.svelte', /renderer\/ui/],
  ['renderer/screens/learn/LearnScreen.svelte', '../../door/transport.ts', /main\.ts and api\.ts/],
  ['renderer/screens/learn/LearnScreen.svelte', '../../../main/home.ts', /downward/],
  ['preload/index.ts', '../main/home.ts', /downward/],
  ['main/home.ts', 'electron', /main\/desktop/],
  ['main/services/run.ts', 'electron', /main\/desktop/],
  ['main/services/run.ts', '../cli/make.ts', /downward/],
  ['main/services/run.ts', '../desktop/window.ts', /downward/],
  ['main/services/run.ts', '../engine/binding.ts', /client\.ts/],
  ['main/services/run.ts', '../engine/host.ts', /client\.ts/],
  ['main/store/db.ts', '../services/run.ts', /downward/],
  ['main/store/db.ts', '../pipeline/probes.ts', /downward/],
  ['main/pipeline/probes.ts', '../store/db.ts', /downward/],
  ['main/pipeline/probes.ts', '../engine/client.ts', /downward/],
  ['main/engine/client.ts', './binding.ts', /main\/engine\/host\.ts/],
  ['main/engine/client.ts', '../services/run.ts', /downward/],
  ['main/engine/host.ts', '../services/run.ts', /downward/],
  ['main/engine/host.ts', '../store/db.ts', /downward/],
  ['main/cli/train.ts', 'electron', /main\/desktop/],
  ['main/cli/train.ts', '../engine/binding.ts', /client\.ts/],
  ['main/serve/index.ts', '../../renderer/api.ts', /downward/],
  ['main/desktop/index.ts', '../engine/binding.ts', /client\.ts/],
  ['main/core.ts', './api/api.ts', /downward/],
  ['main/core.ts', './serve/door.ts', /downward/],
  ['main/core.ts', 'electron', /main\/desktop/],
  ['main/api/api.ts', '../serve/door.ts', /downward/],
  ['main/api/handlers/runs.ts', '../../desktop/door.ts', /downward/],
  ['main/api/handlers/runs.ts', '../../store/runs.ts', /downward/],
  ['main/api/api.ts', '../engine/host-process.ts', /client\.ts/],
  ['main/api/api.ts', 'electron', /main\/desktop/],
  ['main/services/run.ts', '../api/door.ts', /downward/],
  ['main/services/run.ts', '../core.ts', /downward/],
  ['main/store/db.ts', '../core.ts', /downward/],
  ['main/store/db.ts', '../api/api.ts', /downward/],
  ['main/home.ts', './api/door.ts', /downward/],
  ['main/engine/client.ts', '../core.ts', /downward/],
  ['main/serve/door.ts', '../cli/context.ts', /downward/],
  ['main/cli/context.ts', '../desktop/index.ts', /downward/],
  ['main/desktop/index.ts', '../cli/make.ts', /downward/],
];

const right: [file: string, path: string][] = [
  ['main/core.ts', './services/run.ts'],
  ['main/core.ts', './store/db.ts'],
  ['main/core.ts', './engine/client.ts'],
  ['main/api/api.ts', '../core.ts'],
  ['main/api/handlers/runs.ts', '../../services/run.ts'],
  ['main/api/handlers/runs.ts', '../../../shared/api.ts'],
  ['main/services/run.ts', '../../shared/api.ts'],
  ['main/serve/door.ts', '../api/api.ts'],
  ['main/cli/commands/serve.ts', '../../serve/door.ts'],
  ['main/cli/context.ts', '../core.ts'],
  ['main/desktop/index.ts', '../api/api.ts'],
  ['shared/run.ts', 'zod'],
  ['shared/run.ts', './recipe.ts'],
  ['renderer/api.ts', '../shared/api.ts'],
  ['renderer/main.ts', './door/socket-transport.ts'],
  ['renderer/api.ts', './door/transport.ts'],
  ['renderer/door/socket-transport.ts', './transport.ts'],
  ['renderer/state/app.svelte.ts', '../api.ts'],
  ['renderer/ui/Button.svelte', '../state/words.svelte.ts'],
  ['renderer/ui/Button.svelte', '../../shared/api.ts'],
  ['renderer/screens/learn/LearnScreen.svelte', '../../ui/Button.svelte'],
  ['renderer/screens/learn/LearnScreen.svelte', './RowList.svelte'],
  ['renderer/screens/settings/SettingsScreen.svelte', '../../state/settings.svelte.ts'],
  ['renderer/screens/train/TrainScreen.svelte', '../../../shared/run.ts'],
  ['renderer/frame/Screen.svelte', '../screens/learn/LearnScreen.svelte'],
  ['preload/index.ts', '../shared/api.ts'],
  ['preload/index.ts', 'electron'],
  ['main/services/run.ts', '../store/runs.ts'],
  ['main/services/run.ts', '../pipeline/probes.ts'],
  ['main/services/run.ts', '../engine/client.ts'],
  ['main/services/run.ts', '../../shared/engine.ts'],
  ['main/pipeline/probes.ts', '../../shared/row.ts'],
  ['main/engine/host.ts', './binding.ts'],
  ['main/engine/host.ts', '../pipeline/tokenizer.ts'],
  ['main/cli/train.ts', '../services/run.ts'],
  ['main/serve/index.ts', '../services/run.ts'],
  ['main/desktop/index.ts', 'electron'],
  ['main/desktop/index.ts', '../services/run.ts'],
];

describe('layer rules', () => {
  it.each(wrong)('%s must not import %s', async (file, path, advice) => {
    const messages = await complaints(file, `import * as x from '${path}';\nexport const y = x;\n`);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(advice);
  });

  it('forbids types and re-exports from above, too', async () => {
    expect(await complaints('main/store/db.ts', "export type { Run } from '../services/run.ts';\n")).toHaveLength(1);
    expect(await complaints('shared/run.ts', "import type { Stats } from 'node:fs';\nexport type X = Stats;\n")).toHaveLength(1);
  });

  it.each(['process', 'Buffer', 'window', 'document'])('shared/ does not use the global %s', async (name) => {
    expect(await complaints('shared/run.ts', `export const x: unknown = ${name};\n`)).toHaveLength(1);
  });

  it.each(right)('%s may import %s', async (file, path) => {
    expect(await complaints(file, `import * as x from '${path}';\nexport const y = x;\n`)).toEqual([]);
  });
});
