import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processStart, withLock } from '../../tools/lock.mjs';
import { root, scratch, startNode } from './support.ts';

const lockModule = JSON.stringify(join(root, 'tools', 'lock.mjs'));

describe('withLock', () => {
  it.each(['free', 'left by a process that died'])('lets one process in at a time; at first the lock is %s', async (state) => {
    const folder = scratch();
    if (state !== 'free') {
      mkdirSync(join(folder, 'lock'));
      writeFileSync(join(folder, 'lock', 'owner.json'), JSON.stringify({ pid: process.pid, start: 'long ago' }));
    }
    const trace = join(folder, 'trace');
    const script = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { withLock } from ${lockModule};
      for (let i = 0; i < 3; i++) await withLock(${JSON.stringify(join(folder, 'lock'))}, () => {}, async () => {
        appendFileSync(${JSON.stringify(trace)}, 'in ');
        await sleep(20);
        appendFileSync(${JSON.stringify(trace)}, 'out ');
      });`;
    const ends = [1, 2, 3, 4].map(() => startNode(['--input-type=module', '-e', script]).end);
    expect((await Promise.all(ends)).map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(4).fill({ code: 0, stderr: '' }));
    expect(readFileSync(trace, 'utf8')).toBe('in out '.repeat(12));
    expect(readdirSync(folder)).toEqual(['trace']);
  });

  it('takes over from an owner that was killed', async () => {
    const folder = scratch();
    const lock = join(folder, 'lock');
    const script = `
      import { withLock } from ${lockModule};
      await withLock(${JSON.stringify(lock)}, () => {}, () => new Promise((resolve) => {
        console.error('in');
        setTimeout(resolve, 60000);
      }));`;
    const { child, end } = startNode(['--input-type=module', '-e', script]);
    await new Promise((resolve) => child.stderr.once('data', resolve));
    child.kill('SIGKILL');
    await end;
    expect(readdirSync(folder)).toEqual(['lock']);
    expect(await withLock(lock, () => {}, async () => 'mine')).toBe('mine');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes over from a pid that now belongs to another process', async () => {
    const lock = join(scratch(), 'lock');
    mkdirSync(lock);
    writeFileSync(join(lock, 'owner.json'), JSON.stringify({ pid: process.pid, start: 'long ago' }));
    expect(await withLock(lock, () => {}, async () => 'mine')).toBe('mine');
  });

  it('frees the lock when the body throws', async () => {
    const folder = scratch();
    const failed = withLock(join(folder, 'lock'), () => {}, () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('processStart', () => {
  it('knows a living process from none', () => {
    expect(processStart(process.pid)).toMatch(/\d/);
    expect(processStart(2 ** 22 + 1)).toBeNull(); // above Linux's largest pid
  });
});
