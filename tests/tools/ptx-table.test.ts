// What ptxas says of kernels, and how much of a card they can fill.
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES, occupancy, readLog, tableOf } from '../../tools/ptx-table.mjs';

const LOG = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'gemm' for 'sm_86'
ptxas info    : Function properties for gemm
    32 bytes stack frame, 8 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 32 bytes cumulative stack size, 2048 bytes smem, 392 bytes cmem[0]
ptxas info    : Compiling entry function 'add' for 'sm_86'
ptxas info    : Function properties for add
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers, 376 bytes cmem[0]
`;

function architecture(name: string): (typeof ARCHITECTURES)[number] {
  const found = ARCHITECTURES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe('the table of kernels', () => {
  it('reads registers, shared memory and spills of each kernel', () => {
    expect([...readLog(LOG)]).toEqual([
      ['gemm', { registers: 128, shared: 2048, stack: 32, spills: 24 }],
      ['add', { registers: 10, shared: 0, stack: 0, spills: 0 }],
    ]);
  });

  // By hand, from the limits of the architectures.
  it.each([
    ['sm_86', 256, 40, 0, 1],
    ['sm_86', 256, 128, 0, 16 / 48],
    ['sm_75', 256, 128, 0, 16 / 32],
    ['sm_75', 256, 32, 33 << 10, 8 / 32],
    ['sm_86', 128, 32, 49 << 10, 8 / 48],
    ['sm_90', 1024, 64, 0, 32 / 64],
    ['sm_80', 32, 16, 0, 32 / 64],
  ])('%s fills so much with %d threads of %d registers and %d bytes', (name, threads, registers, shared, share) => {
    expect(occupancy(architecture(name), threads, registers, shared)).toBeCloseTo(share);
  });

  it('has a line a kernel', () => {
    const uses = new Map([['sm_86', { registers: 128, shared: 51200, stack: 0, spills: 0 }]]);
    const lines = tableOf([{ name: 'gemm', threads: 256, uses }]).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('| gemm | 256 | 51200 | – | – | 128 · 17 % | – | – | – | – |');
  });
});
