// @ts-check
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from './child.mjs';

/** The oldest version that has all instructions that are used; drivers from R450 on take it. */
const PTX_VERSION = '7.0';

/** What the kernels are compiled for: cards of compute capability 7.5, and all from 8.0 on. */
export const FAMILIES = ['sm_75', 'sm_80'];

/**
 * Runs a compiler's program. Throws with all that it says where it fails.
 * @param {string} program
 * @param {string[]} args
 * @param {string} [cwd]
 * @returns {Promise<string>} all that it says
 */
export async function runCompiler(program, args, cwd) {
  const { code, output } = await runChild(program, args, { capture: true, ...(cwd === undefined ? {} : { cwd }) });
  if (code === 127) throw new Error(`${program} is not installed`);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}\n${output}`);
  return output;
}

/**
 * The PTX of a module for a family, by nvcc (NVCC=… names another path).
 * @param {string} kernels the folder of the sources
 * @param {string} module
 * @param {string} family
 * @param {string} folder for what the compiler writes
 * @param {string[]} [warnings] nvcc's options for them: each is an error
 * @returns {Promise<{ output: string, text: string }>} the file, and what is in it
 */
export async function compilePtx(kernels, module, family, folder, warnings = ['-Werror', 'all-warnings']) {
  const output = join(folder, `${module}.${family}.ptx`);
  const architecture = family.replace('sm', 'compute');
  const nvcc = process.env['NVCC'] ?? 'nvcc';
  await runCompiler(nvcc, ['-ptx', `-arch=${architecture}`, '-std=c++20', ...warnings, `${module}.cu`, '-o', output], kernels);
  const text = (await readFile(output, 'utf8')).replace(/^\.version .*$/m, `.version ${PTX_VERSION}`);
  // Names that come of the file's path would differ between machines.
  const name = /\w*(_INTERNAL_|_GLOBAL__N_)\w*/.exec(text)?.[0];
  if (name !== undefined) throw new Error(`${module}: ${name}: a variable in a namespace without a name, or a static one`);
  await writeFile(output, text);
  return { output, text };
}
