// @ts-check
// node tools/count-tests.mjs FOLDER [FAILED-STAGE…]: adds up what the suites wrote into FOLDER and prints, as the last
// line, "N passed, M failed". A failed stage without a failed test (a build, a sanitizer's report) counts as one.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const DOCTEST = /\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed/g;
const CTEST = /Test +#\d+: replay_\S+ \.+ *(\**)(Passed|Failed|Exception|Timeout|Not Run)/g;

/**
 * What one result file counts: vitest's JSON report, or the log of a stage with doctest's and CTest's lines in it.
 * @param {string} name
 * @param {string} text
 * @returns {{ passed: number, failed: number }}
 */
export function count(name, text) {
  if (name.endsWith('.json')) {
    const { numPassedTests, numFailedTests } = JSON.parse(text);
    return { passed: numPassedTests, failed: numFailedTests };
  }
  const total = { passed: 0, failed: 0 };
  for (const [, passed, failed] of text.matchAll(DOCTEST)) {
    total.passed += Number(passed);
    total.failed += Number(failed);
    if (Number(passed) + Number(failed) === 0) total.failed++; // a filter that matches nothing proves nothing
  }
  for (const [, , outcome] of text.matchAll(CTEST)) {
    if (outcome === 'Passed') total.passed++;
    else total.failed++;
  }
  return total;
}

/**
 * The sum over all result files.
 * @param {string} folder
 * @param {string[]} failedStages
 */
export function sum(folder, failedStages) {
  const total = { passed: 0, failed: 0 };
  for (const name of readdirSync(folder).sort()) {
    if (!/\.(json|log)$/.test(name)) continue;
    const { passed, failed } = count(name, readFileSync(join(folder, name), 'utf8'));
    total.passed += passed;
    total.failed += failed;
  }
  return { ...total, failed: Math.max(total.failed, failedStages.length) };
}

const [folder, ...failedStages] = process.argv.slice(2);
if (import.meta.filename === process.argv[1] && folder !== undefined) {
  const { passed, failed } = sum(folder, failedStages);
  if (failedStages.length > 0) process.stdout.write(`failed: ${failedStages.join(', ')}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
