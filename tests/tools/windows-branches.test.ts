// The engine's branches for Windows, checked by a compiler for it where one is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support.ts';

const COMPILER = 'x86_64-w64-mingw32-g++';
const native = join(root, 'native');
const files = ['formats', 'backend', 'engine', 'addon']
  .flatMap((folder) => readdirSync(join(native, folder), { recursive: true }).map((name) => join(folder, String(name))))
  .filter((name) => name.endsWith('.cpp') && readFileSync(join(native, name), 'utf8').includes('_WIN32'));

describe('the branches for Windows', () => {
  it('are where they are looked for', () => {
    expect(files).toEqual(expect.arrayContaining([join('backend', 'cpu', 'memory.cpp'), join('formats', 'atomic_file.cpp')]));
  });

  it.for(files)('compile without a warning: %s', { timeout: 120_000 }, (file, { skip }) => {
    const flags = ['-std=c++20', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I.', '-Iinclude', '-isystem', 'third_party'];
    // As an older compiler's headers have it: Windows 7.
    const { error, stderr } = spawnSync(COMPILER, [...flags, '-D_WIN32_WINNT=0x0601', file], { cwd: native, encoding: 'utf8' });
    if (error !== undefined) return skip(`no ${COMPILER} here`);
    expect(stderr).toBe('');
  });
});
