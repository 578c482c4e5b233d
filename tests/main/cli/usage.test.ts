import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { errorCode, lastEvent, namesake } from '../../support/cli.ts';
import { root, temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000 });

describe('bad usage', () => {
  it.each<[string, string[]]>([
    ['no command', []],
    ['an unknown command', ['bogus']],
    ['an unknown option', ['runs', 'list', '--bogus']],
    ['a missing argument', ['train']],
    ['one argument too many', ['train', 'a', 'b']],
    ['a missing required option', ['make', '--owner', 'X']],
    ['an option without its value', ['doctor', '--home']],
    ['an empty home', ['doctor', '--home=']],
    ['an empty home', ['doctor', '--home', '']],
    ['an empty home after =', ['doctor', '--home=']],
    ['a seed that is no number', ['bench', 'make', '--seeds', '1,b']],
    ['a table without a pair', ['bench', 'make', '--pairs', '2', '--skip', '2']],
    ['threads that are no number', ['doctor', '--threads', 'x']],
    ['no threads', ['doctor', '--threads=0']],
    ['steps that are no number', ['make', '--owner', 'X', '--name', 'Y', '--steps', 'many']],
    ['half a seed', ['make', '--owner', 'X', '--name', 'Y', '--seed', '1.5']],
    ['no steps', ['make', '--owner', 'X', '--name', 'Y', '--steps', '0']],
    ['an unknown style', ['make', '--owner', 'X', '--name', 'Y', '--style', 'rude']],
    ['an unknown device', ['make', '--owner', 'X', '--name', 'Y', '--device', 'abacus']],
    ['a card that is no number', ['chat', '-p', 'hi', '--model', tinyModel, '--device', 'cuda:one']],
    ['nobody to chat with', ['chat', '-p', 'hi']],
    ['two to chat with', ['chat', '-p', 'hi', '--run', 'r', '--model', tinyModel]],
    ['an adapter without its model', ['chat', '-p', 'hi', '--adapter', '.']],
    ['tokens that are no ids', ['inspect', 'logits', '--model', tinyModel, '--out', 'x', '--tokens', '1,b']],
    ['a setting without a value', ['train', join(root, 'resources/recipes/smollm2_135m_qlora_identity.json'), '--set', 'steps']],
  ])('%s is exit 2', async (_, args) => {
    const home = temporaryFolder();
    const result = await namesake([...args, '--json'], { home });
    expect(errorCode(result, 2)).toBe('usage.invalid');
    expect(result.events).toHaveLength(1);
    expect(result.stderr).not.toBe('');
    expect(existsSync(join(home, 'runs'))).toBe(false);
  });

  it('is said on stderr alone without --json', async () => {
    const result = await namesake(['bogus'], { home: temporaryFolder() });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('bogus');
  });
});

describe('global options', () => {
  it.each([
    [['--json', '--home', 'HOME', '--threads', '1', 'doctor']],
    [['doctor', '--json', '--home', 'HOME', '--threads', '1']],
    [['doctor', '--threads=1', '--home=HOME', '--json']],
    [['--threads', '1', 'doctor', '--json', '--home=HOME']],
  ])('stand anywhere: %j', async (args) => {
    const home = temporaryFolder();
    const other = temporaryFolder();
    const result = await namesake(args.map((arg) => arg.replace('HOME', home)), { home: other });
    expect(lastEvent(result)).toMatchObject({ event: 'result', home });
    expect(readdirSync(other)).toEqual([]);
  });

  it('--threads reaches the engine', async () => {
    const result = await namesake(['inspect', 'model', tinyModel, '--json', '--threads', '1'], { home: temporaryFolder() });
    expect(lastEvent(result)).toMatchObject({ threads: 1 });
  });

  it('a relative home is made absolute', async () => {
    const cwd = temporaryFolder();
    const result = await namesake(['doctor', '--json', '--home', 'h'], { home: 'elsewhere', cwd });
    expect(lastEvent(result)).toMatchObject({ home: join(cwd, 'h') });
    await namesake(['runs', 'list', '--json', '--home', 'h'], { home: 'elsewhere', cwd });
    expect(readdirSync(cwd)).toEqual(['h']);
  });
});

it.each(['--help', '--version'])('%s is exit 0 and leaves stdout alone with --json', async (option) => {
  const result = await namesake([option, '--json'], { home: temporaryFolder() });
  expect(result).toMatchObject({ code: 0, stdout: '' });
  expect(result.stderr).not.toBe('');
});

it('errors speak the system’s language', async () => {
  const home = temporaryFolder();
  const english = await namesake(['runs', 'show', 'none', '--json'], { home });
  const chinese = await namesake(['runs', 'show', 'none', '--json'], { home, env: { LANG: 'zh_CN.UTF-8' } });
  expect([errorCode(english), errorCode(chinese)]).toEqual(['run.unknown', 'run.unknown']);
  expect(english.events[0]?.['message']).toMatch(/^There is no run/);
  expect(chinese.events[0]?.['message']).toMatch(/\p{Script=Han}/u);
});
