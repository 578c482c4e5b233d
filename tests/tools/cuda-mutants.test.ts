import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutantsIn, mutantsOf } from '../../tools/cuda-mutants.mjs';

const changes = (source: string): [string, string][] => mutantsOf('k.cu', source).map(({ key, text }) => [key, text]);

describe('mutantsOf', () => {
  it('takes away barriers and waits, one at a time', () => {
    expect(changes('f();\n__syncthreads();\ncopies_wait<kStages - 2>();\n__syncthreads();')).toEqual([
      ['k.cu barrier __syncthreads(); (1)', 'f();\n;\ncopies_wait<kStages - 2>();\n__syncthreads();'],
      ['k.cu wait copies_wait<kStages - 2>(); (1)', 'f();\n__syncthreads();\n;\n__syncthreads();'],
      ['k.cu barrier __syncthreads(); (2)', 'f();\n__syncthreads();\ncopies_wait<kStages - 2>();\n;'],
    ]);
  });

  it('takes away guards and choices by a bound', () => {
    expect(changes('if (row + size(m) >= args.M) continue;')).toEqual([['k.cu bound if (row + size(m) >= args.M) continue; (1)', ';']]);
    expect(changes('v = row < valid && 4 * i < D ? x[i] : 0;')).toEqual([
      ['k.cu bound row < valid (1)', 'v = true && 4 * i < D ? x[i] : 0;'],
      ['k.cu bound 4 * i < D (1)', 'v = row < valid && true ? x[i] : 0;'],
    ]);
  });

  it('takes away bounds that have a name, and those of loops that have another', () => {
    expect(changes('const bool inside = row < valid && 4 * i < D;')).toEqual([
      ['k.cu bound row < valid (1)', 'const bool inside = true && 4 * i < D;'],
      ['k.cu bound 4 * i < D (1)', 'const bool inside = row < valid && true;'],
    ]);
    expect(changes('for (int j = 0; j < 4 && at + j < n; ++j) f(j);')).toEqual([['k.cu bound at + j < n (1)', 'for (int j = 0; j < 4 && true; ++j) f(j);']]);
  });

  it('takes away what is done inside a bound alone, or outside of it', () => {
    expect(changes('if (lane == 0 && m0 + m < args.M && n0 + i < N) {')).toEqual([
      ['k.cu inside m0 + m < args.M (1)', 'if (lane == 0 && true && n0 + i < N) {'],
      ['k.cu inside n0 + i < N (1)', 'if (lane == 0 && m0 + m < args.M && true) {'],
    ]);
    expect(changes('} else if (col + kEach <= cols && at_16(x)) {')).toEqual([['k.cu inside col + kEach <= cols (1)', '} else if (true && at_16(x)) {']]);
    expect(changes('if (wide || (count >= kEach && at_16(p))) {')).toEqual([['k.cu inside count >= kEach (1)', 'if (wide || (true && at_16(p))) {']]);
    expect(changes('if (place(g) + j >= a.n) m[j] = 0;')).toEqual([['k.cu outside place(g) + j >= a.n (1)', 'if (false) m[j] = 0;']]);
    // With a constant it is what is left.
    expect(changes('if (left < 4) v.w = 0;')).toEqual([['k.cu outside left < 4 (1)', 'if (false) v.w = 0;']]);
    expect(changes('if (bytes > 0) v = *from;')).toEqual([['k.cu inside bytes > 0 (1)', 'if (true) v = *from;']]);
  });

  it('takes away clamps', () => {
    expect(changes('return bytes < 0 ? 0 : bytes > 16 ? 16 : bytes;')).toEqual([
      ['k.cu bound bytes < 0 (1)', 'return true ? 0 : bytes > 16 ? 16 : bytes;'],
      ['k.cu clamp bytes < 0 (1)', 'return false ? 0 : bytes > 16 ? 16 : bytes;'],
      ['k.cu clamp bytes > 16 (1)', 'return bytes < 0 ? 0 : false ? 16 : bytes;'],
    ]);
    expect(changes('row = k + min(first(i) + 1, keys - 1) * stride;')).toEqual([
      ['k.cu clamp min(first(i) + 1, keys - 1) (1)', 'row = k + (first(i) + 1) * stride;'],
      ['k.cu limit min(first(i) + 1, keys - 1) (1)', 'row = k + (keys - 1) * stride;'],
    ]);
  });

  it('leaves loops, comments, types and what is decided at compile time', () => {
    const source = 'for (int i = 0; i < n; ++i) f(i);\n// if (a >= b) return;\nconstexpr int k = a < b ? 1 : 2;\nf<int>();  // i < n ? a : b\nif (wide) return;\nif constexpr (k > 0) f(1);';
    expect(changes(source)).toEqual([]);
  });
});

describe('tests/native/backend/cuda/mutants.json', () => {
  const root = join(import.meta.dirname, '..', '..');
  const results = JSON.parse(readFileSync(join(root, 'tests/native/backend/cuda/mutants.json'), 'utf8')) as Record<string, { source: string; verdict: string; reason?: string }>;

  it('has what came of each mutant of the kernels as they are', () => {
    const mutants = mutantsIn(join(root, 'native/backend/cuda/kernels')).map(({ key, source }) => [key, source]);
    expect(Object.fromEntries(Object.entries(results).map(([key, { source }]) => [key, source]))).toEqual(Object.fromEntries(mutants));
  });

  it('says why nothing notices those that are alive', () => {
    expect(Object.entries(results).filter(([, { verdict, reason }]) => (verdict === 'alive') !== (reason !== undefined))).toEqual([]);
  });
});
