// The page in the desktop app: the same as in a browser, from two names to the comparison.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { fixture } from '../support/files.ts';
import { Screens } from '../support/screens.ts';
import { watchTroubles } from '../support/troubles.ts';
import { shells } from './standin/launch.ts';

describe.each(shells.map((make) => make()).map((shell) => [shell.name, shell] as const))('the page of the desktop app in %s', (_name, shell) => {
  describe.skipIf(shell.missing !== null)('from names to comparison', () => {
    let home = '';
    beforeAll(() => shell.open());
    afterAll(async () => {
      await shell.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    });

    it('makes an assistant, shows both sides and talks', async () => {
      home = mkdtempSync(join(tmpdir(), 'namesake-page-'));
      const core = createCore(new Home(home));
      await core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
      core.settings.set({ language: 'en' });
      core.close();
      const app = await shell.launch({ home });
      const page = await app.page();
      const troubles = watchTroubles(page);
      page.setDefaultTimeout(120_000);
      const screens = new Screens(page, 'en');
      await screens.name('Ann', 'Bo');
      await screens.takeModel('tiny-llama.gguf');
      await screens.make();
      await screens.training();
      await page.reload();
      await screens.compared();
      const answers = await screens.ask('Who are you?');
      expect(answers.filter((answer) => answer.trim() !== '')).toHaveLength(2);
      expect(troubles).toEqual([]);
    }, 600_000);
  });
});
