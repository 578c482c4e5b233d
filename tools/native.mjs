// @ts-check
// Builds a preset of native/ from the command line: node tools/native.mjs PRESET [cmake --build arguments]
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { endChildrenOnSignals, runChild } from './child.mjs';
import { withLock } from './lock.mjs';
import { findCompiler } from './requirements.mjs';

const NATIVE = join(import.meta.dirname, '..', 'native');

/**
 * Configures and builds a preset of native/CMakePresets.json, with Ninja where there is one (on Windows by MinGW).
 * @param {string} preset
 * @param {string[]} [buildArguments]
 * @returns {Promise<number>} the exit code of the step that failed, or 0
 */
export async function buildNative(preset, buildArguments = []) {
  const folder = join(NATIVE, 'build', preset);
  await mkdir(folder, { recursive: true });
  return withLock(
    join(NATIVE, 'build', `.lock-${preset}`),
    () => process.stderr.write(`waiting for another build of native/build/${preset}\n`),
    async () => {
      // Once configured, a folder keeps its generator and compiler.
      const configure = ['--preset', preset];
      if (!existsSync(join(folder, 'CMakeCache.txt'))) {
        if ((await runChild('ninja', ['--version'], { capture: true })).code === 0) configure.push('-G', 'Ninja');
        // CMake would take Visual Studio, whose compiler is none that the engine is written for.
        else if (process.platform === 'win32') configure.push('-G', 'MinGW Makefiles');
        const compiler = process.env['CXX'] ?? (await findCompiler());
        if (compiler !== null) configure.push(`-DCMAKE_CXX_COMPILER=${compiler}`);
      }
      const configured = await runChild('cmake', [...configure, '--log-level=WARNING'], { cwd: NATIVE });
      if (configured.code !== 0) return configured.code;
      const build = ['--build', '--preset', preset, '-j', String(availableParallelism()), ...buildArguments];
      return (await runChild('cmake', build, { cwd: NATIVE })).code;
    },
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  endChildrenOnSignals();
  const [preset, ...rest] = process.argv.slice(2);
  if (preset === undefined) {
    process.stderr.write('usage: node tools/native.mjs PRESET [cmake --build arguments]\n');
    process.exitCode = 2;
  } else process.exitCode = await buildNative(preset, rest);
}
