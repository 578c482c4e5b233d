// runs list, show, diff, rename, delete, undelete, as people and scripts see them.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { errorCode, eventsOf, lastEvent, namesake, type CliResult } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';
import { writeJsonLines, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

const train = (home: string, ...args: string[]): Promise<CliResult> => namesake(['train', writeRecipe(home, { steps: 2 }), '--json', ...args], { home });
const runOf = (result: CliResult): string => String(result.events[0]?.['run']);

describe('runs', () => {
  it('show how far they are, what differs, and take another name', async () => {
    const home = temporaryFolder();
    const [a, b] = [runOf(await train(home)), runOf(await train(home, '--set', 'optim.lr=0.5'))];
    const renamed = await namesake(['runs', 'rename', a, ' 小锋 ', '--json'], { home });
    expect(lastEvent(renamed)).toEqual({ event: 'result', run: a, name: '小锋' });
    const list = await namesake(['runs', 'list', '--json'], { home });
    expect(list.events).toEqual([
      { event: 'run', run: b, name: 'tiny', status: 'done', step: 2, steps: 2 },
      { event: 'run', run: a, name: '小锋', status: 'done', step: 2, steps: 2 },
    ]);
    expect((await namesake(['runs', 'list'], { home, env: { LANG: 'zh_CN.UTF-8' } })).stdout).toContain('已完成');
    const shown = lastEvent(await namesake(['runs', 'show', a, '--json'], { home }));
    expect(shown).toMatchObject({ run: a, name: '小锋', folder: join(home, 'runs', a), progress: null });
    expect(shown['bytes_on_disk']).toBeGreaterThan(1000);

    const diff = await namesake(['runs', 'diff', a, b, '--json'], { home });
    expect(diff.events).toEqual([
      { event: 'difference', field: 'optim.lr', a: 0.01, b: 0.5 },
      { event: 'result', differences: 1 },
    ]);
    expect((await namesake(['runs', 'diff', a, b], { home })).stdout).toMatch(/optim\.lr +0\.01 +0\.5/);
    expect((await namesake(['runs', 'diff', a, a], { home })).stdout).toContain('same recipe');
    expect(errorCode(await namesake(['runs', 'diff', a, 'nobody', '--json'], { home }))).toBe('run.unknown');
    for (const name of ['', ' ', 'x'.repeat(121)]) {
      expect(errorCode(await namesake(['runs', 'rename', a, name, '--json'], { home }), 2)).toBe('usage.invalid');
    }
  });

  it('are deleted, brought back, and gone for good', async () => {
    const home = temporaryFolder();
    const run = runOf(await train(home));
    const command = (name: string): Promise<CliResult> => namesake(['runs', name, run, '--json'], { home });
    expect(lastEvent(await command('delete'))).toEqual({ event: 'result', run });
    expect((await namesake(['runs', 'list', '--json'], { home })).events).toEqual([]);
    expect((await namesake(['runs', 'list'], { home })).stderr).toContain('no runs yet');
    for (const name of ['show', 'resume', 'delete']) expect(errorCode(await command(name))).toBe('run.unknown');
    expect(lastEvent(await command('undelete'))).toEqual({ event: 'result', run });
    expect(lastEvent(await command('show'))).toMatchObject({ run, status: 'done' });
    expect(existsSync(join(home, 'runs', run, 'adapter'))).toBe(true);
    expect(errorCode(await command('undelete'))).toBe('run.unknown');
  });

  it('that failed say why, in the words of the person’s language', async () => {
    const home = temporaryFolder();
    const rows = writeJsonLines(join(home, 'long.jsonl'), [{ messages: [{ role: 'user', content: 'a '.repeat(400) }, { role: 'assistant', content: 'b' }] }]);
    const failed = await train(home, '--set', `data.source=${rows}`);
    expect(errorCode(failed)).toBe('rows.too_long');
    const run = runOf(failed);
    const [en, zh] = [await namesake(['runs', 'show', run], { home }), await namesake(['runs', 'show', run], { home, env: { LANG: 'zh_CN.UTF-8' } })];
    expect(en.stdout).toContain('256');
    expect(en.stdout).not.toContain('rows.too_long');
    expect(zh.stdout).toMatch(/[\u4e00-\u9fff].*256/);
    expect(zh.stdout).toContain('失败');
    // What was wrong is put right: the same run goes on.
    writeFileSync(rows, `${JSON.stringify({ messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }] })}\n`);
    const resumed = await namesake(['runs', 'resume', run, '--json'], { home });
    expect(lastEvent(resumed)).toMatchObject({ run, steps: 2 });
    expect(eventsOf(resumed, 'step')).toHaveLength(2);
    rmSync(rows);
  });
});
