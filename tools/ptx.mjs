// @ts-check
// Compiles the kernels of the CUDA backend: node tools/ptx.mjs [--check] [MODULE…]
// nvcc makes PTX of native/backend/cuda/kernels/*.cu for two families, and of the rungs in native/ladder/*.cu for one; ptxas tries it on
// every architecture that they run on, and what it says of registers, shared memory and spills becomes ptx/kernels.md. Builds of the engine
// take what is kept here and need neither. --check writes nothing: it says whether what is kept is what the sources give. NVCC=… and PTXAS=… name other paths.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChildrenOnSignals } from './child.mjs';
import { FAMILIES, compilePtx, runCompiler } from './ptx-compile.mjs';
import { ARCHITECTURES, readLog, tableOf } from './ptx-table.mjs';

const NATIVE = join(import.meta.dirname, '..', 'native');
const CUDA = join(NATIVE, 'backend', 'cuda');
const LADDER = join(NATIVE, 'ladder');
/**
 * Sources, where the PTX of them is kept, and for which families: the engine's kernels, and the ladder's, which no engine is built with.
 * @typedef {{ sources: string, ptx: string, families: string[] }} KernelSet
 * @type {KernelSet[]}
 */
const SETS = [
  { sources: join(CUDA, 'kernels'), ptx: join(CUDA, 'ptx'), families: FAMILIES },
  { sources: LADDER, ptx: join(LADDER, 'ptx'), families: ['sm_80'] },
];
/** Another compiler gives other PTX: the committed files come from this one. */
const NVCC_RELEASE = 'V13.0.88';

const TABLE_HEAD = `# Kernels

Made by \`npm run ptx\` from what ptxas says: for each architecture the registers of a thread, and the share of a multiprocessor's warps
that fit at once. No kernel spills registers.
`;

const nvcc = process.env['NVCC'] ?? 'nvcc';
const ptxas = process.env['PTXAS'] ?? 'ptxas';

/**
 * Compiles a module and tries it on every architecture.
 * @param {KernelSet} set
 * @param {string} module
 * @param {string} folder
 * @returns {Promise<{ ptx: Map<string, string>, table: string }>} texts by family, and the module's part of the table
 */
async function build(set, module, folder) {
  /** @type {Map<string, string>} */
  const ptx = new Map();
  /** @type {Map<string, import('./ptx-table.mjs').Row>} */
  const rows = new Map();
  for (const family of set.families) {
    const { output, text } = await compilePtx(set.sources, module, family, folder);
    ptx.set(family, text);
    for (const { name: architecture } of ARCHITECTURES.filter((each) => each.family === family)) {
      const log = await runCompiler(ptxas, ['-v', `-arch=${architecture}`, output, '-o', join(folder, 'out.cubin')]);
      for (const [name, use] of readLog(log)) {
        if (use.spills > 0) throw new Error(`${module}: ${name} spills ${use.spills} bytes on ${architecture}`);
        const threads = new RegExp(`\\.entry ${name}\\([^{]*?\\.maxntid (\\d+)(?:, (\\d+))?(?:, (\\d+))?`).exec(text);
        if (threads === null) throw new Error(`${module}: ${name} has no __launch_bounds__`);
        const count = threads.slice(1).reduce((product, each) => product * Number(each ?? 1), 1);
        const row = rows.get(name) ?? { name, threads: count, uses: new Map() };
        row.uses.set(architecture, use);
        rows.set(name, row);
      }
    }
  }
  return { ptx, table: tableOf([...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) };
}

/** Text of a file, '' where there is none. @param {string} path */
async function textOf(path) {
  return existsSync(path) ? readFile(path, 'utf8') : '';
}

/** @param {KernelSet} set */
const tablePath = (set) => join(set.ptx, 'kernels.md');

/** The modules of a set. @param {KernelSet} set */
async function modulesOf(set) {
  return (await readdir(set.sources)).filter((file) => file.endsWith('.cu')).map((file) => file.slice(0, -3)).sort();
}

/** The parts of the table that is kept, by module. @param {KernelSet} set @returns {Promise<Map<string, string>>} */
async function keptTables(set) {
  const parts = (await textOf(tablePath(set))).split(/^## /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n')).trim()]));
}

/** @param {KernelSet} set @param {string[]} modules @param {Map<string, string>} tables */
async function writeTable(set, modules, tables) {
  const parts = modules.filter((module) => tables.has(module)).map((module) => `\n## ${module}\n\n${tables.get(module)}\n`);
  await writeFile(tablePath(set), TABLE_HEAD + parts.join(''));
}

/** PTX files that are kept of modules that there are not. @param {KernelSet} set @param {string[]} modules */
async function strays(set, modules) {
  const found = [];
  for (const family of set.families) {
    const folder = join(set.ptx, family);
    for (const file of existsSync(folder) ? await readdir(folder) : []) {
      if (!modules.includes(file.replace(/\.ptx$/, ''))) found.push(join(folder, file));
    }
  }
  return found;
}

/**
 * Makes what is kept of a set's modules, or compares it.
 * @param {KernelSet} set
 * @param {string[]} wanted modules; none = all
 * @param {boolean} check
 * @param {string} folder for what the compilers write
 * @returns {Promise<string[]>} what is not as it should be
 */
async function makeSet(set, wanted, check, folder) {
  const modules = await modulesOf(set);
  const wrong = [];
  const tables = await keptTables(set);
  for (const module of wanted.length > 0 ? modules.filter((each) => wanted.includes(each)) : modules) {
    process.stderr.write(`${module}\n`);
    const { ptx, table } = await build(set, module, folder);
    for (const [family, text] of ptx) {
      const path = join(set.ptx, family, `${module}.ptx`);
      if (check && (await textOf(path)) !== text) wrong.push(`${path} is not what its source gives`);
      if (!check) await mkdir(join(set.ptx, family), { recursive: true }).then(() => writeFile(path, text));
    }
    if (check && tables.get(module) !== table) wrong.push(`${tablePath(set)} is not up to date for ${module}`);
    tables.set(module, table);
    // At once, so that PTX and table belong together whatever comes of the next module.
    if (!check) await writeTable(set, modules, tables);
  }
  for (const path of await strays(set, modules)) {
    if (check) wrong.push(`${path} has no source`);
    else await rm(path);
  }
  return wrong;
}

/**
 * @param {string[]} wanted modules; none = all
 * @param {boolean} check
 * @returns {Promise<string[]>} what is not as it should be
 */
async function main(wanted, check) {
  const version = await runCompiler(nvcc, ['--version']);
  if (!version.includes(NVCC_RELEASE)) throw new Error(`nvcc ${NVCC_RELEASE} is needed; this is ${version.trim().split('\n').at(-1)}`);
  const modules = (await Promise.all(SETS.map(modulesOf))).flat();
  const unknown = wanted.find((module) => !modules.includes(module));
  if (unknown !== undefined) throw new Error(`there is no ${unknown}.cu`);
  const folder = await mkdtemp(join(tmpdir(), 'ptx-'));
  try {
    const wrong = [];
    for (const set of SETS) wrong.push(...(await makeSet(set, wanted, check, folder)));
    return wrong;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

endChildrenOnSignals();
const args = process.argv.slice(2);
try {
  const wrong = await main(args.filter((each) => each !== '--check'), args.includes('--check'));
  for (const line of wrong) process.stderr.write(`${line}\n`);
  if (wrong.length > 0) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
