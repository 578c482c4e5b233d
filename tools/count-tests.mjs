// @ts-check
// node tools/count-tests.mjs FOLDER [FAILED-STAGE…]: adds up what the suites wrote into FOLDER. Prints the name of everything
// that failed with the first line of why and, as the last line, "N passed, M failed". A failed stage without a failed test
// (a build, a sanitizer's report) counts as one.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const DOCTEST = /\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed/g;
/** How doctest begins what it has to say about a test case, and how it goes on where that does not hold. */
const DOCTEST_CASE = /(?:^|: )TEST CASE: +(.*)$/;
const DOCTEST_ERROR = /: (?:FATAL )?ERROR: /;
const CTEST = /Test +#\d+: (\S+) \.+ *(\**)(Passed|Failed|Exception|Timeout|Not Run)/g;
/** CTest's targets that are tests themselves; the others hold doctest's cases, which count instead. */
const IS_TEST = /^replay_/;
/** Lines of a failed stage's log that are printed again. */
const LAST_LINES = 10;
/** Colours of a terminal, which messages of vitest have. */
// eslint-disable-next-line no-control-regex
const COLOURS = /\x1b\[[0-9;]*m/g;

/**
 * @typedef {{ passed: number, failed: number, names: string[] }} Count what passed, what failed, and the names of the latter
 * @typedef {{ fullName: string, title: string, ancestorTitles: string[], status: string, failureMessages?: string[] }} VitestTest
 * @typedef {{ name: string, status: string, message?: string, assertionResults: VitestTest[] }} VitestFile
 */

/**
 * The first line of a message.
 * @param {string | undefined} message
 */
function because(message) {
  const line = (message ?? '').replace(COLOURS, '').trim().split('\n')[0] ?? '';
  return line === '' ? '' : `: ${line.slice(0, 300)}`;
}

/**
 * What vitest's JSON report counts. A file without a failed test that failed all the same (it did not load, a hook threw) is
 * one failure: none of its tests may have run.
 * @param {string} text
 * @returns {Count}
 */
function countVitest(text) {
  /** @type {{ numPassedTests: number, numFailedTests: number, success: boolean, testResults?: VitestFile[] }} */
  const report = JSON.parse(text);
  const names = [];
  let failed = report.numFailedTests;
  for (const { name, status, message, assertionResults } of report.testResults ?? []) {
    const file = relative(process.cwd(), name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    for (const { ancestorTitles, title, failureMessages } of tests) {
      names.push(`${[file, ...ancestorTitles.filter((part) => part !== ''), title].join(' > ')}${because(failureMessages?.[0])}`);
    }
    if (status === 'failed' && tests.length === 0) {
      failed++;
      names.push(`${file}${because(message)}`);
    }
  }
  if (report.success === false && failed === 0) {
    failed++;
    names.push('an error outside of any test');
  }
  return { passed: report.numPassedTests, failed, names };
}

/**
 * Names of doctest's cases in which something did not hold; other messages have a case's name above them too.
 * @param {string} text
 */
function failedCases(text) {
  const names = new Set();
  let name = '';
  for (const line of text.split('\n')) {
    name = DOCTEST_CASE.exec(line)?.[1] ?? name;
    if (name !== '' && DOCTEST_ERROR.test(line)) names.add(name);
  }
  return names;
}

/**
 * What the log of a stage counts, with lines of doctest and CTest in it.
 * @param {string} text
 * @returns {Count}
 */
function countLog(text) {
  /** @type {Count} */
  const total = { passed: 0, failed: 0, names: [] };
  for (const [, passed, failed] of text.matchAll(DOCTEST)) {
    total.passed += Number(passed);
    total.failed += Number(failed);
    if (Number(passed) + Number(failed) > 0) continue;
    total.failed++;
    total.names.push('no test case matched: a filter that matches nothing proves nothing');
  }
  total.names.push(...failedCases(text));
  for (const [, name = '', , outcome = ''] of text.matchAll(CTEST)) {
    if (outcome !== 'Passed') total.names.push(`${name}: ${outcome}`);
    if (!IS_TEST.test(name)) continue;
    if (outcome === 'Passed') total.passed++;
    else total.failed++;
  }
  return total;
}

/**
 * What one result file counts: vitest's JSON report, or a stage's log.
 * @param {string} name
 * @param {string} text
 * @returns {Count}
 */
export function count(name, text) {
  return name.endsWith('.json') ? countVitest(text) : countLog(text);
}

/**
 * The sum over all result files; names have their file in front.
 * @param {string} folder
 * @param {string[]} failedStages
 * @returns {Count}
 */
export function sum(folder, failedStages) {
  /** @type {Count} */
  const total = { passed: 0, failed: 0, names: [] };
  for (const name of readdirSync(folder).sort()) {
    if (!/\.(json|log)$/.test(name)) continue;
    const { passed, failed, names } = count(name, readFileSync(join(folder, name), 'utf8'));
    total.passed += passed;
    total.failed += failed;
    total.names.push(...names.map((found) => `${name}: ${found}`));
  }
  return { ...total, failed: Math.max(total.failed, failedStages.length) };
}

/**
 * The last lines of a stage's log: why it failed where no test did.
 * @param {string} folder
 * @param {string} stage
 */
function endOf(folder, stage) {
  const path = join(folder, `${stage}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LAST_LINES) : [];
}

const [folder, ...failedStages] = process.argv.slice(2);
if (import.meta.filename === process.argv[1] && folder !== undefined) {
  const { passed, failed, names } = sum(folder, failedStages);
  for (const stage of failedStages) process.stdout.write([`=== the end of ${stage}`, ...endOf(folder, stage), ''].join('\n'));
  for (const name of names) process.stdout.write(`failed: ${name}\n`);
  if (failedStages.length > 0) process.stdout.write(`failed stages: ${failedStages.join(', ')}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
