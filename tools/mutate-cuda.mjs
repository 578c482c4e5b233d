// @ts-check
// Takes away each barrier, wait, check of a bound and clamp of the CUDA kernels in turn, and sees the tests notice: node tools/mutate-cuda.mjs [FILE…]
// What came of each is kept in tests/native/backend/cuda/mutants.json while the kernel's source is the same, so that a run goes on where the last
// one ended. A mutant that no test notices needs a reason there why it is equivalent; without one the run fails. About a minute a mutant.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { endChildrenOnSignals, runChild } from './child.mjs';
import { mutantsIn } from './cuda-mutants.mjs';
import { FAMILIES, compilePtx } from './ptx-compile.mjs';

const ROOT = join(import.meta.dirname, '..');
const CUDA = join(ROOT, 'native', 'backend', 'cuda');
const KERNELS = join(CUDA, 'kernels');
const RESULTS = join(ROOT, 'tests', 'native', 'backend', 'cuda', 'mutants.json');
const BUILD = join(ROOT, 'native', 'build', 'mutants');
/** The card that runs a family. */
const PROFILES = { sm_75: 'turing-6gb', sm_80: 'ampere-12gb' };
/** The tests that see a module first; all of the suite follow where these notice nothing. */
const TESTS = /** @type {Record<string, string>} */ ({
  attention_backward: 'attention',
  attention_cached: 'attention',
  attention_forward: 'attention',
  bf16: 'bf16',
  blocks: 'blocks',
  convert: 'linear',
  gemm: 'gemm',
  gemv: 'linear',
  head_loss: 'head_loss',
  optimizer: 'optimizer',
  rows: 'rows',
});
/** @typedef {{ source: string, verdict: 'red' | 'alive', reason?: string }} Outcome */

/** Whether a source is part of a module. @param {string} module @param {string} file */
function isPartOf(module, file) {
  const pending = [`${module}.cu`];
  const seen = new Set(pending);
  for (const name of pending) {
    for (const [, included] of readFileSync(join(KERNELS, name), 'utf8').matchAll(/^#include "([\w.]+)"$/gm)) {
      if (included === undefined || seen.has(included) || !existsSync(join(KERNELS, included))) continue;
      pending.push(included);
      seen.add(included);
    }
  }
  return seen.has(file);
}

/** @param {string[]} args */
async function cmake(args) {
  const { code, output } = await runChild('cmake', args, { capture: true, cwd: join(ROOT, 'native') });
  if (code !== 0) throw new Error(`cmake ${args.join(' ')}\n${output}`);
}

/** Builds the tests with the PTX of BUILD/ptx. */
const build = () => cmake(['--build', BUILD, '-j', String(availableParallelism()), '--target', 'namesake_tests', 'namesake_ptxcpu']);

/**
 * Whether the tests pass on a card of each family.
 * @param {string[]} filter what doctest is to run
 */
async function passes(filter) {
  for (const profile of Object.values(PROFILES)) {
    const env = {
      ...process.env,
      NAMESAKE_TEST_DRIVER: join(BUILD, 'ptxcpu', 'libcuda.so.1'),
      PTXCPU_PROFILE: profile,
      PTXCPU_RACE: '1',
      PTXCPU_STRICT: '1',
      PTXCPU_GUARD: '1',
      PTXCPU_QUIET: '1',
      PTXCPU_TIMEOUT: '120',
      PTXCPU_CACHE: join(BUILD, 'ptxcpu', 'cache'),
    };
    const { code } = await runChild(join(BUILD, 'namesake_tests'), [...filter, '--abort-after=1'], { capture: true, env });
    if (code !== 0) return false;
  }
  return true;
}

/**
 * What the tests make of a source that has been changed.
 * @param {string} file
 * @param {string} text
 * @returns {Promise<'red' | 'alive'>}
 */
async function verdictOn(file, text) {
  const sources = join(BUILD, 'kernels');
  const ptx = join(BUILD, 'ptx');
  cpSync(KERNELS, sources, { recursive: true });
  cpSync(join(CUDA, 'ptx'), ptx, { recursive: true });
  writeFileSync(join(sources, file), text);
  const modules = Object.keys(TESTS).filter((module) => isPartOf(module, file));
  for (const module of modules) {
    for (const family of FAMILIES) {
      const compiled = await compilePtx(sources, module, family, BUILD, ['-w']);
      writeFileSync(join(ptx, family, `${module}.ptx`), compiled.text);
    }
  }
  await build();
  const first = modules.map((module) => `*/cuda/${TESTS[module]}_test.cpp`).join(',');
  return (await passes([`--source-file=${first}`])) && (await passes(['--test-suite=cuda'])) ? 'alive' : 'red';
}

/** @param {string[]} wanted files; none = all */
async function main(wanted) {
  const mutants = mutantsIn(KERNELS);
  const untested = readdirSync(KERNELS).find((file) => file.endsWith('.cu') && !(file.slice(0, -3) in TESTS));
  if (untested !== undefined) throw new Error(`TESTS has none for kernels/${untested}`);
  const unknown = wanted.find((file) => !mutants.some((mutant) => mutant.file === file));
  if (unknown !== undefined) throw new Error(`there is nothing to take away in kernels/${unknown}`);
  mkdirSync(BUILD, { recursive: true });
  cpSync(join(CUDA, 'ptx'), join(BUILD, 'ptx'), { recursive: true });
  await cmake(['--preset', 'release', '-B', BUILD, `-DNAMESAKE_PTX=${join(BUILD, 'ptx')}`, '--log-level=WARNING']);
  await build();
  if (!(await passes(['--test-suite=cuda']))) throw new Error('the tests are red before anything is changed');

  const before = /** @type {Record<string, Outcome>} */ (existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {});
  /** @type {Map<string, Outcome>} */
  const kept = new Map(mutants.flatMap(({ key }) => (before[key] === undefined ? [] : [[key, before[key]]])));
  const write = () => writeFileSync(RESULTS, `${JSON.stringify(Object.fromEntries([...kept].sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`);

  const chosen = mutants.filter(({ file }) => wanted.length === 0 || wanted.includes(file));
  const left = chosen.filter(({ key, source }) => kept.get(key)?.source !== source);
  for (const [i, { key, file, source, text }] of left.entries()) {
    const start = Date.now();
    const verdict = await verdictOn(file, text);
    const reason = kept.get(key)?.reason;
    kept.set(key, { source, verdict, ...(verdict === 'alive' && reason !== undefined ? { reason } : {}) });
    write();
    process.stderr.write(`${i + 1} of ${left.length}, ${Math.round((Date.now() - start) / 1000)} s: ${verdict}: ${key}\n`);
  }
  rmSync(join(BUILD, 'kernels'), { recursive: true, force: true });
  write();
  const alive = chosen.filter(({ key }) => kept.get(key)?.verdict === 'alive' && kept.get(key)?.reason === undefined);
  const noticed = chosen.filter(({ key }) => kept.get(key)?.verdict === 'red').length;
  process.stdout.write(`${chosen.length} mutants: ${noticed} noticed, ${chosen.length - noticed - alive.length} shown to be equivalent\n`);
  for (const { key } of alive) process.stdout.write(`no test notices ${key}\n`);
  if (alive.length > 0) process.exitCode = 1;
}

endChildrenOnSignals();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
