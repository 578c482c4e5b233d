// The addon for Windows, as far as another system can tell: where there is MinGW, what links Node's functions late is built.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root, scratch } from './support.ts';

const tool = (name: string): string => `x86_64-w64-mingw32-${name}`;
const isThere = spawnSync(tool('g++'), ['--version']).status === 0;

it.skipIf(!isThere)('an addon finds Node in whatever program loads it, and needs no DLL but the system’s', () => {
  const build = scratch();
  const run = (command: string, args: string[]): string => execFileSync(command, args, { cwd: build, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const cross = ['SYSTEM_NAME=Windows', 'SYSTEM_PROCESSOR=AMD64', `C_COMPILER=${tool('gcc')}`, `CXX_COMPILER=${tool('g++')}`];
  run('cmake', ['-S', join(root, 'native'), '-B', build, '-G', 'Unix Makefiles', ...cross.map((option) => `-DCMAKE_${option}`)]);
  run('make', ['addon/windows_host.obj']);
  const host = join(build, 'CMakeFiles', 'namesake_addon.dir', 'addon', 'windows_host.cpp.obj');
  writeFileSync(
    join(build, 'small.cpp'),
    '#define NAPI_VERSION 9\n#include <node_api.h>\nNAPI_MODULE_INIT() { napi_value v; napi_create_int32(env, 3, &v); (void)exports; return v; }\n',
  );
  const headers = join(root, 'node_modules', 'node-api-headers', 'include');
  run(tool('g++'), ['-shared', '-static', `-I${headers}`, 'small.cpp', host, 'libnode_api.a', '-o', 'small.node']);
  const libraries = [...run(tool('objdump'), ['-p', 'small.node']).matchAll(/DLL Name: (\S+)/g)].map(([, name]) => name?.toLowerCase());
  expect(libraries.filter((name) => name !== 'kernel32.dll' && name !== 'msvcrt.dll' && !name?.startsWith('api-ms-win-crt-'))).toEqual([]);
  // Ours, with a value: not the linker's own empty one.
  expect(run(tool('nm'), ['small.node'])).toMatch(/ D __pfnDliNotifyHook2/);
}, 60_000);
