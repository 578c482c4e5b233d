// What the page shows when things go wrong, and the way on from there: everything through the built program on the tiny model.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createCore } from '../../main/core.ts';
import { Home } from '../../main/home.ts';
import { shells } from '../e2e/standin/launch.ts';
import { tinyRun } from '../e2e/desktop-home.ts';
import { hubServer } from '../support/hub-server.ts';
import { fixture, temporaryFolder } from '../support/files.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { windowDoors, type OpenProgram } from './ui-doors.ts';

/** Longer than any of these tests. */
const LONG = 50_000;
/** Nobody answers here, and no proxy of the machine's leads elsewhere. */
const offline = { HF_ENDPOINT: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', MODELSCOPE_DOMAIN: 'http://127.0.0.1:9', NO_PROXY: '', PIP_NO_INDEX: '1' };

/** The engine hosts of a program, by what they were started with. */
function engines({ children }: OpenProgram): number[] {
  return children().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-host');
    } catch {
      return false;
    }
  });
}

/** Goes to a run and on with it, until its steps are seen. */
async function watch({ page, screens }: OpenProgram, run: string): Promise<void> {
  await screens.list.locator(`a[href="#run/${run}"]`).click();
  await screens.button('train.act_resume').click();
  await screens.state('badge.running').waitFor();
  const first = await stepOf(page);
  await expect.poll(() => stepOf(page), { timeout: 60_000 }).toBeGreaterThan(first);
}

/** The step that the page says. */
async function stepOf(page: Page): Promise<number> {
  const said = /(\d[\d,]*)/.exec((await page.getByRole('heading', { level: 1 }).innerText().catch(() => '')) || '0')?.[1] ?? '0';
  return Number(said.replaceAll(',', ''));
}

describe.each(['serve', 'desktop'] as const)('when something goes wrong under %s', (name) => {
  const door = windowDoors[name]();
  afterAll(() => door.close());

  it.skipIf(door.missing !== null)('an engine that is killed is said so, and the run goes on from what was saved', async () => {
    const home = temporaryFolder();
    const run = await tinyRun(home, LONG, 30);
    const program = await door.open(home, 'en');
    const { screens } = program;
    await watch(program, run);
    for (const pid of engines(program)) process.kill(pid, 'SIGKILL');
    await screens.state('badge.failed').waitFor();
    await program.page.getByText(screens.like('error.engine.crashed', 'detail')).first().waitFor();
    await screens.button('train.act_resume').click();
    await screens.state('badge.running').waitFor();
    expect(program.troubles).toEqual([]);
    await program.kill();
  });

  it.skipIf(door.missing !== null)('a window that is reloaded shows the run as it goes on', async () => {
    const home = temporaryFolder();
    const run = await tinyRun(home, LONG, 30);
    const program = await door.open(home, 'zh');
    await watch(program, run);
    const before = await stepOf(program.page);
    for (let i = 0; i < 3; i++) await program.page.reload();
    await program.screens.state('badge.running').waitFor();
    await program.screens.training();
    await expect.poll(() => stepOf(program.page)).toBeGreaterThan(before);
    expect(program.troubles).toEqual([]);
    await program.kill();
  });

  it.skipIf(door.missing !== null)('a program that was killed while it trained says where the run goes on from', async () => {
    const home = temporaryFolder();
    const run = await tinyRun(home, LONG, 30);
    const first = await door.open(home, 'en');
    await watch(first, run);
    await first.kill();
    const next = await door.open(home, 'en');
    await next.screens.list.locator(`a[href="#run/${run}"]`).click();
    await next.screens.state('badge.interrupted').waitFor();
    await next.page.getByText(next.screens.like('train.why_interrupted', 'step')).waitFor();
    await next.screens.button('train.act_resume').click();
    await next.screens.state('badge.running').waitFor();
    expect(next.troubles).toEqual([]);
    await next.kill();
  });

  it.skipIf(door.missing !== null)('without a model and a network, the form says what it waits for, and keeps what was typed', async () => {
    const program = await door.open(temporaryFolder(), 'en', offline);
    const { page, screens } = program;
    await screens.name('Ann', 'Bo');
    await screens.button('name.make').click();
    // It is looked for, or could not be had already.
    const why = screens.words('name.fetching').or(screens.words('name.fetching_failed'));
    await why.waitFor();
    await page.reload();
    await why.waitFor();
    await screens.button('name.give_up').click();
    expect(await screens.field('name.owner').inputValue()).toBe('Ann');
    expect(await screens.field('name.name').inputValue()).toBe('Bo');
    expect(await screens.button('name.make').isEnabled()).toBe(true);
    expect(program.troubles).toEqual([]);
    await program.kill();
  });

  it.skipIf(door.missing !== null)('a graphics card that is not there is refused in words, and nothing is lost', async () => {
    // Hides the cards of a machine that has some.
    vi.stubEnv('CUDA_VISIBLE_DEVICES', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const home = temporaryFolder();
    const core = createCore(new Home(home));
    const model = await core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
    const { draft } = await core.drafts.create({ persona: { owner: 'Ann', name: 'Bo', languages: ['en'], style: 'plain', facts: [] }, model, device: 'cuda' });
    core.close();
    const program = await door.open(home, 'en');
    const { page, screens } = program;
    await page.goto(`${page.url().split('#')[0] ?? ''}#draft/${draft}/train`);
    await screens.button('train.draft_start').click();
    const why = page.getByText(screens.like('error.gpu.no_driver', 'detail')).or(page.getByText(screens.like('error.gpu.no_card', 'detail')));
    await why.first().waitFor();
    expect(program.troubles).toEqual([]);
    await program.kill();
  });
});

describe('when a download is cut', () => {
  const door = windowDoors.serve();
  afterAll(() => door.close());

  it.skipIf(door.missing !== null)('it says so, keeps what came, and goes on from there', async () => {
    let cut: number | null = 40_000;
    const hub = await hubServer({ 'o/tiny': { files: { 'tiny.gguf': readFileSync(fixture('tiny-llama.gguf')) }, architecture: 'llama', cut: () => cut } });
    const program = await door.open(temporaryFolder(), 'en', { ...offline, HF_ENDPOINT: hub.base, NO_PROXY: '127.0.0.1,localhost' });
    const { page, screens } = program;
    await screens.button('name.change').click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(screens.say('model.add'), { exact: true }).click();
    await screens.field('model.add_name').fill('hf:o/tiny');
    await screens.field('model.add_name').press('Enter');
    const card = dialog.getByRole('listitem').filter({ hasText: 'tiny.gguf' });
    await card.getByText(screens.like('error.download.failed', 'detail')).waitFor({ timeout: 180_000 });
    cut = null;
    await card.getByRole('button', { name: screens.say('error_note.retry') }).click();
    await card.getByText(screens.say('model.here'), { exact: true }).waitFor();
    expect(hub.fetched().at(-1)?.range).toBe('bytes=40000-');
    await card.getByRole('button', { name: screens.say('model.use') }).click();
    await screens.name('Ann', 'Bo');
    await screens.make();
    await screens.training();
    expect(program.troubles).toEqual([]);
    await program.kill();
  });
});

describe('when the disk is full', () => {
  const door = windowDoors.serve();
  afterAll(() => door.close());

  it.skipIf(door.missing !== null)('the run fails in words, and goes on when there is room again', async ({ skip }) => {
    const home = mountSmallDisk(16_384);
    if (home === null) return skip('no small disk can be mounted here');
    const run = await tinyRun(home, LONG, 30);
    const program = await door.open(home, 'en');
    const { page, screens } = program;
    await watch(program, run);
    // By then the database's log has its full length: what fails is a save, and that it failed can be noted.
    await expect.poll(() => stepOf(page), { timeout: 120_000 }).toBeGreaterThan(1500);
    const filler = join(home, 'filler');
    // What is left takes no checkpoint, but the word that it failed.
    for (let block = 1 << 20, written = 0; block >= 1 << 16; ) {
      try {
        writeFileSync(filler, Buffer.alloc(block), { flag: 'a' });
        written += block;
        if (written > 16_384 * 1024) break;
      } catch {
        block >>= 1;
      }
    }
    await page.getByText(screens.like('error.disk.full', 'detail')).first().waitFor({ timeout: 120_000 });
    rmSync(filler);
    await screens.button('train.act_resume').click();
    await screens.state('badge.running').waitFor();
    await program.kill();
  });
});

describe('when a hostile file is handed over', () => {
  const door = windowDoors.serve();
  afterAll(() => door.close());

  /** Drops a file on an element, as the system does. */
  const drop = (page: Page, selector: string, name: string, data: Buffer): Promise<void> =>
    page.evaluate(
      ([selector, name, base64]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], name));
        const target = document.querySelector(selector);
        for (const type of ['dragenter', 'dragover', 'drop']) target?.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
      },
      [selector, name, data.toString('base64')] as const,
    );

  it.skipIf(door.missing !== null)('a model that is none is refused in words, and so are rows that are none', async () => {
    const home = temporaryFolder();
    const core = createCore(new Home(home));
    const model = await core.models.add(fixture('tiny-llama.gguf'), 'tiny-llama.gguf');
    const { draft } = await core.drafts.create({ persona: { owner: 'Ann', name: 'Bo', languages: ['en'], style: 'plain', facts: [] }, model });
    core.close();
    const program = await door.open(home, 'en');
    const { page, screens } = program;
    await screens.button('name.change').click();
    const own = page.getByRole('dialog').getByRole('region', { name: screens.say('model.add') });
    await own.waitFor();
    for (const [file, key] of [
      ['shape-transposed.gguf', 'error.model.invalid'],
      ['other-html.gguf', 'error.model.unknown_format'],
      ['count-tensors-most.gguf', 'error.model.'],
    ] as const) {
      await drop(page, '[role="dialog"] section:last-of-type', file, readFileSync(fixture('hostile', file)));
      const alert = own.getByRole('alert');
      await alert.waitFor();
      if (key !== 'error.model.') expect(await alert.innerText()).toMatch(screens.like(key, 'detail'));
    }
    await page.keyboard.press('Escape');
    await page.goto(`${page.url().split('#')[0] ?? ''}#draft/${draft}/learn`);
    await screens.heading('learn.title').waitFor();
    await drop(page, 'main h1', 'rows.jsonl', Buffer.from(`{"messages": 5}\n\u0000\u0001\n{"messages":[{"role":"user","content":"${'<img src=x onerror=alert(1)>'.repeat(3)}"},{"role":"assistant","content":"<script>alert(1)</script>"}]}\n`));
    await page.getByText(screens.say('learn.report_title', { added: 1 })).waitFor();
    expect(await page.getByText(screens.say('learn.refused_no_json')).count()).toBeGreaterThan(0);
    expect(await page.locator('main img[src="x"], main script').count()).toBe(0);
    expect(program.troubles).toEqual([]);
    await program.kill();
  });
});

describe.each(shells.map((make) => make()).map((shell) => [shell.name, shell] as const))('a second start in %s', (_name, shell) => {
  describe.skipIf(shell.missing !== null)('of the desktop app', () => {
    beforeAll(() => shell.open());
    afterAll(() => shell.close());

    it('shows the window of the first, and ends', async () => {
      const home = temporaryFolder();
      const first = await shell.launch({ home });
      await first.page();
      const second = await shell.launch({ home });
      expect(await second.ended).toBe(0);
      expect(await first.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
      expect(existsSync(join(home, 'namesake.db'))).toBe(true);
      await first.kill();
    });
  });
});
