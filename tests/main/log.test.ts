// The log: lines of JSON in files of bounded size, which say where something failed and never what a person wrote.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog, traceOf } from '../../main/log.ts';
import { temporaryFolder } from '../support/files.ts';

it('writes nothing before the first line, then one object a line, for its owner alone', () => {
  const folder = join(temporaryFolder(), 'logs');
  const log = createLog(folder);
  expect(() => readdirSync(folder)).toThrow();
  log.warn({ code: 'run.unknown' }, 'refused');
  log.info('hello');
  const lines = readFileSync(join(folder, 'namesake.log'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([{ level: 40, code: 'run.unknown', msg: 'refused', time: expect.stringMatching(/^\d{4}-/) }, { level: 30, msg: 'hello' }]);
  if (process.platform !== 'win32') expect(statSync(join(folder, 'namesake.log')).mode & 0o777).toBe(0o600);
});

it('keeps a few files of bounded size', () => {
  const folder = temporaryFolder();
  const log = createLog(folder, 1000);
  for (let i = 0; i < 200; i++) log.warn({ i }, 'a line of about a hundred bytes, so that ten of them are a file');
  expect(readdirSync(folder).sort()).toEqual(['namesake.1.log', 'namesake.2.log', 'namesake.3.log', 'namesake.log']);
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1000);
  expect(readFileSync(join(folder, 'namesake.log'), 'utf8')).toContain('"i":199');
});

it('that cannot be written is no reason to fail', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  expect(() => createLog(file).error('nowhere')).not.toThrow();
});

it('a trace has the places of this program, and neither words nor other paths', () => {
  const error = Object.assign(new TypeError('geheim'), { code: 'EX' });
  error.stack = `TypeError: geheim\n  at /home/me/geheim\n${error.stack?.split('\n').slice(1).join('\n')}\n    at x (/home/me/other.js:1:2)\n    at y (C:\\Users\\me\\z.js:3:4)`;
  const trace = traceOf(error);
  expect(trace).toMatchObject({ kind: 'TypeError', errno: 'EX' });
  expect(trace.trace.join('\n')).toContain('tests/main/log.test.ts');
  expect(JSON.stringify(trace)).not.toMatch(/geheim|\/home\/|Users/);
  expect(traceOf('geheim')).toEqual({ kind: 'string', trace: [] });
});
