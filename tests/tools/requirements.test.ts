import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCompiler, installCommand, missing, nodeProblem, npmCommand, packageManager } from '../../tools/requirements.mjs';
import { root, scratch, startNode } from './support.ts';

describe('nodeProblem', () => {
  it.each([
    ['20.19.0', 'linux', 'x64', true],
    ['20.18.3', 'linux', 'x64', false],
    ['18.20.0', 'linux', 'x64', false],
    ['21.0.0', 'linux', 'x64', true],
    ['20.19.0', 'darwin', 'arm64', false],
    ['20.19.0', 'linux', 'arm64', false],
    ['22.11.0', 'darwin', 'arm64', false],
    ['22.12.0', 'darwin', 'arm64', true],
    ['24.0.0', 'linux', 'arm64', true],
  ] as const)('Node %s on %s %s: enough is %s', (version, platform, arch, enough) => {
    const problem = nodeProblem(version, platform, arch);
    if (enough) expect(problem).toBeNull();
    else expect(problem).toContain(version);
  });
});

describe('installCommand', () => {
  const debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nID=debian\n';
  it.each([
    ['linux', debian, 'sudo apt-get install -y g++ cmake python3-pip'],
    ['linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'sudo apt-get install -y g++ cmake python3-pip'],
    ['linux', 'ID=fedora\n', 'sudo dnf install -y gcc-c++ cmake python3-pip'],
    ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'sudo dnf install -y gcc-c++ cmake python3-pip'],
    ['linux', 'ID=arch\n', 'sudo pacman -S --needed gcc cmake make python-pip'],
    ['linux', 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'sudo zypper install -y gcc13-c++ cmake python3-pip'],
    ['linux', 'ID=alpine\n', 'sudo apk add g++ cmake make py3-pip'],
    ['darwin', '', 'xcode-select --install && brew install cmake python'],
  ] as const)('%s, %j', (platform, osRelease, command) => {
    expect(installCommand(['compiler', 'cmake', 'pip'], platform, osRelease)).toBe(command);
  });

  it('names only what is missing', () => {
    expect(installCommand(['cmake'], 'linux', debian)).toBe('sudo apt-get install -y cmake');
    expect(installCommand(['compiler'], 'darwin', '')).toBe('xcode-select --install');
  });

  it('says in words what an unknown system needs', () => {
    expect(packageManager('linux', 'ID=plan9\n')).toBeNull();
    expect(installCommand(['cmake'], 'linux', 'ID=plan9\n')).toContain('cmake');
  });
});

describe('missing', () => {
  it('finds nothing missing where everything is', async () => {
    expect(await findCompiler()).not.toBeNull();
    expect(await missing(['compiler', 'cmake', 'pip'])).toBeNull();
  });

  it('lists all that is missing at once, with one command', async () => {
    const script = `
      import { missing } from ${JSON.stringify(join(root, 'tools', 'requirements.mjs'))};
      console.error(await missing(['compiler', 'cmake', 'pip']));`;
    const { code, stderr } = await startNode(['--input-type=module', '-e', script], { env: { PATH: scratch(), CXX: '' } }).end;
    expect(code).toBe(0);
    expect(stderr).toMatch(/C\+\+20 compiler[^]*CMake 3\.22[^]*pip[^]*Install it with:\n {4}\S/);
  });
});

describe('npmCommand', () => {
  const node = 'C:\\Program Files\\nodejs\\node.exe';
  const beside = 'C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js';

  it('is the program, and on Windows its script: the one that started this, or the one beside Node', () => {
    const started = 'D:\\npm\\bin\\npm-cli.js';
    expect(npmCommand('linux', { npm_execpath: '/usr/lib/npm-cli.js' }, '/usr/bin/node')).toEqual(['npm']);
    expect(npmCommand('darwin', {}, '/usr/bin/node')).toEqual(['npm']);
    expect(npmCommand('win32', { npm_execpath: started }, node)).toEqual([node, started]);
    expect(npmCommand('win32', {}, node)).toEqual([node, beside]);
    expect(npmCommand('win32', { npm_execpath: 'C:\\yarn.js' }, node)).toEqual([node, beside]);
  });
});
