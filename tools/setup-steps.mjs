// @ts-check
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { ensureModel, hasModel } from './fetch-model.mjs';
import { withLock } from './lock.mjs';
import { buildNative } from './native.mjs';
import { missing, npmCommand } from './requirements.mjs';

const ROOT = join(import.meta.dirname, '..');
const at = (/** @type {string[]} */ ...parts) => join(ROOT, ...parts);

/** A failure whose message is all that a person needs. */
export class SetupError extends Error {}

/** @param {string} line */
function log(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Whether anything under `path` (a file or a folder, itself included: its time changes when a file in it is added or
 * removed) is as new as `time`, or newer: a file system's clock moves in steps of milliseconds, so a file that was saved
 * just after `time` can bear the same one.
 * @param {string} path
 * @param {number} time
 * @returns {Promise<boolean>}
 */
async function isAsNew(path, time) {
  const found = await stat(path).catch(() => null);
  if (found === null) return false;
  if (found.mtimeMs >= time) return true;
  if (!found.isDirectory()) return false;
  for (const name of await readdir(path)) {
    if (await isAsNew(join(path, name), time)) return true;
  }
  return false;
}

/**
 * What set-up builds: `outputs` from `sources`. `stamp` is as old as the last successful build's start, so that a file
 * saved while a build ran counts as newer.
 * @typedef {{ what: string, stamp: string, outputs: string[], sources: string[], build: () => Promise<number> }} Product
 */

/** @param {Product} product */
async function isStale({ stamp, outputs, sources }) {
  const built = await stat(stamp).catch(() => null);
  if (built === null || outputs.some((output) => !existsSync(output))) return true;
  for (const source of sources) {
    if (await isAsNew(source, built.mtimeMs)) return true;
  }
  return false;
}

/** @param {Product} product */
async function make(product) {
  log(`building ${product.what}`);
  const started = `${product.stamp}.new`;
  await rm(product.stamp, { force: true });
  await writeFile(started, '');
  const code = await product.build();
  if (code !== 0) throw new SetupError(`building ${product.what} failed (code ${code}); the reason is above`);
  await rename(started, product.stamp);
}

/** The Node that runs the program: the one that npm brought, or this one. */
function programNode() {
  const brought = at('node_modules', '.bin', 'node');
  return existsSync(brought) ? brought : process.execPath;
}

/** @returns {Product} */
function bundles() {
  return {
    what: 'the program',
    stamp: at('out', '.built'),
    outputs: ['main/index.js', 'main/cli.js', 'main/engine-host.js', 'preload/index.cjs', 'renderer/index.html'].map((name) => at('out', name)),
    sources: ['main', 'preload', 'renderer', 'shared', 'electron.vite.config.ts', 'tsconfig.json', 'package-lock.json'].map((name) => at(name)),
    build: () =>
      runChild(programNode(), [at('node_modules', 'electron-vite', 'bin', 'electron-vite.js'), 'build', '--logLevel', 'warn'], {
        cwd: ROOT,
      }).then(({ code }) => code),
  };
}

/** @returns {Product} */
function addon() {
  const folders = ['include', 'addon', 'engine', 'formats', 'backend', 'third_party'];
  return {
    what: 'the engine (some minutes the first time)',
    stamp: at('native', 'build', '.built'),
    outputs: [at('native', 'build', 'release', 'namesake.node')],
    sources: [
      ...folders.map((name) => at('native', name)),
      ...['CMakeLists.txt', 'CMakePresets.json'].map((name) => at('native', name)),
    ],
    build: () => buildNative('release', ['--target', 'namesake_addon']),
  };
}

/** Whether `npm ci` must run: never did, was cut short (it removes node_modules first), or the lock file changed. */
async function packagesAreStale() {
  const kept = await readFile(at('node_modules', '.namesake-lock'), 'utf8').catch(() => '');
  return kept !== (await lockHash());
}

async function lockHash() {
  return createHash('sha256').update(await readFile(at('package-lock.json'))).digest('hex');
}

async function installPackages() {
  log('installing packages (npm ci)');
  const [npm, ...script] = npmCommand(process.platform, process.env, process.execPath);
  const { code } = await runChild(npm, [...script, 'ci', '--loglevel=error', '--no-fund', '--no-audit'], { cwd: ROOT });
  if (code !== 0) throw new SetupError(`npm ci failed (code ${code}); the reason is above`);
  await writeFile(at('node_modules', '.namesake-lock'), await lockHash());
}

/** Shows how far a download is: a line that rewrites itself on a terminal, else one line per tenth. */
function downloadProgress() {
  let shown = -1;
  return (/** @type {number} */ done, /** @type {number} */ total) => {
    const percent = Math.floor((100 * done) / total);
    if (percent === shown || (!process.stderr.isTTY && percent % 10 !== 0)) return;
    shown = percent;
    const text = `  ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB (${percent}%)`;
    process.stderr.write(process.stderr.isTTY ? `\r${text}${done === total ? '\n' : ''}` : `${text}\n`);
  };
}

async function defaultModel() {
  const catalogue = JSON.parse(await readFile(at('resources', 'models.json'), 'utf8'));
  return catalogue.models.find((/** @type {{ id: string }} */ model) => model.id === catalogue.default);
}

/**
 * Brings packages, bundles, addon and (with `withModel`) the home's default model up to date; does nothing to what is.
 * @param {string} home
 * @param {boolean} withModel
 * @returns {Promise<void>}
 * @throws {SetupError} with what to do, when something is missing or a step failed
 */
export async function setUp(home, withModel) {
  const model = await defaultModel();
  const lacksModel = withModel && !(await hasModel(home, model));
  const staleAddon = await isStale(addon());
  /** @type {('compiler' | 'cmake' | 'pip')[]} */
  const needs = [...(staleAddon ? /** @type {const} */ (['compiler', 'cmake']) : [])];
  if (lacksModel) needs.push('pip');
  const advice = needs.length > 0 ? await missing(needs) : null;
  if (advice !== null) throw new SetupError(advice);

  if ((await packagesAreStale()) || staleAddon || (await isStale(bundles()))) {
    await withLock(
      at('.setup-lock'),
      () => log('waiting for another set-up of this checkout'),
      async () => {
        if (await packagesAreStale()) await installPackages();
        await mkdir(at('out'), { recursive: true });
        await mkdir(at('native', 'build'), { recursive: true });
        for (const product of [bundles(), addon()]) if (await isStale(product)) await make(product);
      },
    );
  }
  if (lacksModel) {
    log(`fetching the default model into ${home}`);
    const path = await ensureModel(home, model, { log: (line) => log(`  ${line}`), onBytes: downloadProgress() });
    log(`the default model is ${path}`);
  }
}
