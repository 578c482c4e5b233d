import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isRunning, processStart, thisProcess, withLock } from '../../tools/lock.mjs';
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

  it('is the same text for whoever asks on macOS, whatever their language and time zone', () => {
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('TZ', 'Asia/Shanghai');
    const found = processStart(process.pid, 'darwin');
    expect(found).toMatch(/^\w{3} \w{3} +\d+ [\d:]{8} \d{4}$/);
    vi.stubEnv('TZ', 'America/New_York');
    vi.stubEnv('LC_ALL', 'zh_CN.UTF-8');
    expect(processStart(process.pid, 'darwin')).toBe(found);
  });

  /** What Windows has in place of ps, as far as it is asked here. Returns how often it was asked. */
  const powershell = (script: string): (() => number) => {
    const folder = scratch();
    const asked = join(folder, 'asked');
    writeFileSync(asked, '');
    writeFileSync(join(folder, 'powershell.exe'), `#!/bin/sh\necho >> '${asked}'\n${script}\n`);
    chmodSync(join(folder, 'powershell.exe'), 0o755);
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH'] ?? ''}`);
    return () => readFileSync(asked, 'utf8').length;
  };

  it('asks PowerShell on Windows, once in a while and about processes that are there alone', () => {
    const asked = powershell('case "$*" in *ProcessId=*CreationDate*) echo 133000000000000000;; *) exit 1;; esac');
    expect(processStart(process.pid, 'win32')).toBe('133000000000000000');
    expect(isRunning({ pid: process.pid, start: '133000000000000000' }, 'win32')).toBe(true);
    expect(isRunning({ pid: process.pid, start: '132000000000000000' }, 'win32')).toBe(false);
    expect(processStart(2 ** 22 + 1, 'win32')).toBeNull();
    expect(isRunning({ pid: 2 ** 22 + 1, start: '133000000000000000' }, 'win32')).toBe(false);
    expect(asked()).toBe(1);
    vi.useFakeTimers({ now: Date.now() + 60_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(processStart(process.pid, 'win32')).toBe('133000000000000000');
    expect(asked()).toBe(2);
  });

  it('takes a process on Windows for the one that it was where PowerShell says nothing', () => {
    powershell('exit 1');
    expect(isRunning({ pid: process.ppid, start: '133000000000000000' }, 'win32')).toBe(true);
    expect(isRunning({ pid: 2 ** 22 + 1, start: '133000000000000000' }, 'win32')).toBe(false);
  });
});

describe('isRunning', () => {
  it('tells a process from an earlier one of its pid, and from what is no pid', () => {
    expect(isRunning(thisProcess())).toBe(true);
    expect(isRunning({ ...thisProcess(), start: 'long ago' })).toBe(false);
    for (const pid of [0, -1, 1.5, Number.NaN]) expect(isRunning({ pid, start: null })).toBe(false);
  });
});
