import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { count, sum } from '../../tools/count-tests.mjs';
import { root } from '../support/files.ts';
import { scratch } from './support.ts';

/** A report of vitest with one file. */
const report = (file: object, counts = { numPassedTests: 7, numFailedTests: 0, success: false }): string =>
  JSON.stringify({ ...counts, testResults: [{ name: join(root, 'tests/a.test.ts'), status: 'failed', message: '', assertionResults: [], ...file }] });

const doctest = '[doctest] test cases:  57 |  55 passed | 2 failed | 3 skipped\n[doctest] assertions: 91 | 91 passed | 0 failed |\n';
const ctest =
  '2/3 Test #2: replay_gguf ......................   Passed    0.11 sec\n' +
  '3/3 Test #3: replay_json ......................***Failed    0.10 sec\n' +
  '1/3 Test #1: native ...........................   Passed    9.99 sec\n';

describe('count-tests', () => {
  it('reads the reports of vitest, doctest and CTest', () => {
    expect(count('unit.json', '{"numPassedTests":7,"numFailedTests":1}')).toEqual({ passed: 7, failed: 1, names: [] });
    expect(count('asan.log', `1: ${doctest}`)).toEqual({ passed: 55, failed: 2, names: [] });
    expect(count('asan.log', ctest)).toEqual({ passed: 1, failed: 1, names: ['replay_json: Failed'] });
    expect(count('tsan.log', '[doctest] test cases: 0 | 0 passed | 0 failed | 132 skipped')).toMatchObject({ passed: 0, failed: 1 });
    expect(count('x.log', 'nothing')).toEqual({ passed: 0, failed: 0, names: [] });
  });

  it('names each failed test by its file and says why', () => {
    const test = { ancestorTitles: ['a run', ''], title: 'goes on', status: 'failed', failureMessages: ['\u001b[31mError: 1 is not 2\u001b[39m\n    at x'] };
    const passed = { ancestorTitles: [], title: 'begins', status: 'passed', failureMessages: [] };
    const counts = { numPassedTests: 1, numFailedTests: 1, success: false };
    expect(count('unit.json', report({ assertionResults: [passed, test] }, counts))).toEqual({
      passed: 1,
      failed: 1,
      names: ['tests/a.test.ts > a run > goes on: Error: 1 is not 2'],
    });
  });

  it('counts a file that failed without a failed test, and an error outside of all files', () => {
    expect(count('unit.json', report({ message: 'Cannot find module x\nsomewhere' }))).toEqual({
      passed: 7,
      failed: 1,
      names: ['tests/a.test.ts: Cannot find module x'],
    });
    expect(count('unit.json', report({ status: 'passed' }))).toMatchObject({ failed: 1, names: ['an error outside of any test'] });
    expect(count('unit.json', report({ status: 'passed' }, { numPassedTests: 7, numFailedTests: 0, success: true }))).toMatchObject({ failed: 0, names: [] });
  });

  it('names the test cases of doctest that do not hold, and none that only said something', () => {
    const said = (name: string, what: string): string => `==========\n1: /src/a_test.cpp:4:\n1: TEST CASE:  ${name}\n1: \n1: /src/a_test.cpp:7: ${what}\n`;
    const log = said('told', 'MESSAGE: no avx512 here') + said('wrong', 'ERROR: CHECK( 1 == 2 ) is NOT correct!').repeat(2) + said('dead', 'FATAL ERROR: test case CRASHED: SIGSEGV');
    expect(count('asan.log', log + doctest).names).toEqual(['wrong', 'dead']);
  });

  it('adds up a folder, and counts stages that failed without a failed test', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'unit.json'), '{"numPassedTests":7,"numFailedTests":0}');
    writeFileSync(join(folder, 'tsan.log'), doctest.replace('2 failed', '0 failed'));
    expect(sum(folder, [])).toEqual({ passed: 62, failed: 0, names: [] });
    expect(sum(folder, ['asan', 'fuzz'])).toEqual({ passed: 62, failed: 2, names: [] });
  });

  it('ends with the names and the sum: the tail of a log is enough', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'e2e.json'), report({ message: 'it did not load' }));
    writeFileSync(join(folder, 'lint.log'), Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(''));
    const { stdout, status } = spawnSync(process.execPath, ['tools/count-tests.mjs', folder, 'lint', 'e2e'], { cwd: root, encoding: 'utf8' });
    expect(status).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(-3)).toEqual(['failed: e2e.json: tests/a.test.ts: it did not load', 'failed stages: lint, e2e', '7 passed, 2 failed']);
    expect(lines).toContain('line 49');
    expect(lines).not.toContain('line 39');
  });
});
