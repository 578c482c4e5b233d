import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { count, sum } from '../../tools/count-tests.mjs';
import { scratch } from './support.ts';

const doctest = '[doctest] test cases:  57 |  55 passed | 2 failed | 3 skipped\n[doctest] assertions: 91 | 91 passed | 0 failed |\n';
const ctest =
  '2/3 Test #2: replay_gguf ......................   Passed    0.11 sec\n' +
  '3/3 Test #3: replay_json ......................***Failed    0.10 sec\n' +
  '1/3 Test #1: native ...........................   Passed    9.99 sec\n';

describe('count-tests', () => {
  it('reads the reports of vitest, doctest and CTest', () => {
    expect(count('unit.json', '{"numPassedTests":7,"numFailedTests":1}')).toEqual({ passed: 7, failed: 1 });
    expect(count('asan.log', `1: ${doctest}`)).toEqual({ passed: 55, failed: 2 });
    expect(count('asan.log', ctest)).toEqual({ passed: 1, failed: 1 });
    expect(count('tsan.log', '[doctest] test cases: 0 | 0 passed | 0 failed | 132 skipped')).toEqual({ passed: 0, failed: 1 });
    expect(count('x.log', 'nothing')).toEqual({ passed: 0, failed: 0 });
  });

  it('adds up a folder, and counts stages that failed without a failed test', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'unit.json'), '{"numPassedTests":7,"numFailedTests":0}');
    writeFileSync(join(folder, 'tsan.log'), doctest.replace('2 failed', '0 failed'));
    expect(sum(folder, [])).toEqual({ passed: 62, failed: 0 });
    expect(sum(folder, ['asan', 'fuzz'])).toEqual({ passed: 62, failed: 2 });
  });
});
