// @ts-check
// What ptxas says of kernels, how many of a multiprocessor's threads they can occupy, and the table of it.

/**
 * A multiprocessor, by the CUDA C++ Programming Guide, "Compute Capabilities": warps and blocks at most, bytes of shared memory, and
 * those that each block takes beside its own. All have 65,536 registers, given to a warp in units of 256.
 * @typedef {{ name: string, family: string, warps: number, blocks: number, shared: number, reserved: number }} Architecture
 * @type {Architecture[]}
 */
export const ARCHITECTURES = [
  { name: 'sm_75', family: 'sm_75', warps: 32, blocks: 16, shared: 64 << 10, reserved: 0 },
  { name: 'sm_80', family: 'sm_80', warps: 64, blocks: 32, shared: 164 << 10, reserved: 1 << 10 },
  { name: 'sm_86', family: 'sm_80', warps: 48, blocks: 16, shared: 100 << 10, reserved: 1 << 10 },
  { name: 'sm_89', family: 'sm_80', warps: 48, blocks: 24, shared: 100 << 10, reserved: 1 << 10 },
  { name: 'sm_90', family: 'sm_80', warps: 64, blocks: 32, shared: 228 << 10, reserved: 1 << 10 },
  { name: 'sm_100', family: 'sm_80', warps: 64, blocks: 32, shared: 228 << 10, reserved: 1 << 10 },
  { name: 'sm_120', family: 'sm_80', warps: 48, blocks: 24, shared: 100 << 10, reserved: 1 << 10 },
];

/**
 * What a kernel takes on an architecture; `shared` is its own, `stack` and `spills` are bytes of a thread's local memory.
 * @typedef {{ registers: number, shared: number, stack: number, spills: number }} Use
 */

/**
 * Reads what `ptxas -v` says.
 * @param {string} log
 * @returns {Map<string, Use>}
 */
export function readLog(log) {
  /** @type {Map<string, Use>} */
  const uses = new Map();
  for (const part of log.split(/Compiling entry function '/).slice(1)) {
    const name = part.slice(0, part.indexOf("'"));
    /** @param {RegExp} pattern */
    const number = (pattern) => Number(pattern.exec(part)?.[1] ?? 0);
    uses.set(name, {
      registers: number(/Used (\d+) registers/),
      shared: number(/(\d+) bytes smem/),
      stack: number(/(\d+) bytes stack frame/),
      spills: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
    });
  }
  return uses;
}

/**
 * The share of a multiprocessor's warps that blocks of a kernel can fill, 0 to 1.
 * @param {Architecture} architecture
 * @param {number} threads of a block
 * @param {number} registers of a thread
 * @param {number} shared bytes of a block
 */
export function occupancy(architecture, threads, registers, shared) {
  const warps = Math.ceil(threads / 32);
  // The registers lie in four parts, each with a quarter of the warps.
  const byRegisters = Math.floor(Math.floor(65536 / (Math.ceil((registers * 32) / 256) * 256) / 4) * 4 / warps);
  const taken = shared === 0 ? 0 : shared + architecture.reserved;
  const byShared = taken === 0 ? architecture.blocks : Math.floor(architecture.shared / taken);
  const blocks = Math.min(architecture.blocks, Math.floor(architecture.warps / warps), byRegisters, byShared);
  return (blocks * warps) / architecture.warps;
}

/**
 * A kernel in the table.
 * @typedef {{ name: string, threads: number, uses: Map<string, Use> }} Row
 */

/**
 * The lines of a module's kernels.
 * @param {Row[]} rows
 */
export function tableOf(rows) {
  const lines = [
    `| kernel | threads | shared, bytes | ${ARCHITECTURES.map(({ name }) => name).join(' | ')} |`,
    `|---|---|---|${ARCHITECTURES.map(() => '---').join('|')}|`,
  ];
  for (const { name, threads, uses } of rows) {
    const shared = new Set();
    const cells = ARCHITECTURES.map((architecture) => {
      const use = uses.get(architecture.name);
      if (use === undefined) return '–';
      shared.add(use.shared);
      const share = Math.round(occupancy(architecture, threads, use.registers, use.shared) * 100);
      return `${use.registers} · ${share} %${use.stack > 0 ? ` · stack ${use.stack}` : ''}`;
    });
    lines.push(`| ${name} | ${threads} | ${[...shared].join(' / ')} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}
