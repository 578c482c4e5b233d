// The first window in the desktop app: the same page as in a browser, from two names to the comparison.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { fixture } from '../support/files.ts';
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
      const model = await core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
      core.close();
      const app = await shell.launch({ home });
      const page = await app.page();
      page.setDefaultTimeout(120_000);
      await page.locator('.switch button', { hasText: 'English' }).click();
      await page.locator('#owner').fill('Ann');
      await page.locator('#name').fill('Bo');
      await page.locator('#model').selectOption(model);
      await page.getByRole('button', { name: 'Make it' }).click();
      await page.locator('.loss-line').waitFor();
      await page.reload();
      await page.locator('.badge', { hasText: 'Ready' }).waitFor({ timeout: 240_000 });
      expect(await page.locator('.comparison tbody tr').count()).toBeGreaterThan(3);
      await page.getByRole('button', { name: 'Start talking' }).click();
      await page.locator('#chat-input').fill('Who are you?');
      await page.locator('#chat-input').press('Enter');
      await page.locator('.say button.primary').waitFor();
      const answers = await page.locator('.log .answers p').allInnerTexts();
      expect(answers.filter((answer) => answer.trim() !== '')).toHaveLength(2);
    }, 600_000);
  });
});
