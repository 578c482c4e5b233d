import { describe, expect, it } from 'vitest';
import { mutantsOf } from '../../tools/cuda-mutants.mjs';

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

  it('leaves loops, comments, types and what is decided at compile time', () => {
    const source = 'for (int i = 0; i < n; ++i) f(i);\n// if (a >= b) return;\nconstexpr int k = a < b ? 1 : 2;\nf<int>();  // i < n ? a : b\nif (wide) return;';
    expect(changes(source)).toEqual([]);
  });
});
