// @ts-check
import { readFileSync } from 'node:fs';
import { win32 } from 'node:path';
import { runChild } from './child.mjs';

const CMAKE_LEAST = { major: 3, minor: 22 };

/** C++20 that the engine uses and that compilers before GCC 11 and Clang 14 lack. */
const CPP20_PROBE = `
#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
template <std::integral T> constexpr int bits(T value) { return std::popcount(static_cast<std::uint64_t>(value)); }
int sum(std::span<const int> values) { int total = 0; for (int value : values) total += value; return total + bits(7); }
`;

/** The packages of each need, per package manager. */
const PACKAGES = {
  apt: { install: 'sudo apt-get install -y', compiler: 'g++', cmake: 'cmake', pip: 'python3-pip' },
  dnf: { install: 'sudo dnf install -y', compiler: 'gcc-c++', cmake: 'cmake', pip: 'python3-pip' },
  pacman: { install: 'sudo pacman -S --needed', compiler: 'gcc', cmake: 'cmake make', pip: 'python-pip' },
  zypper: { install: 'sudo zypper install -y', compiler: 'gcc13-c++', cmake: 'cmake', pip: 'python3-pip' },
  apk: { install: 'sudo apk add', compiler: 'g++', cmake: 'cmake make', pip: 'py3-pip' },
  brew: { install: 'brew install', compiler: 'llvm', cmake: 'cmake', pip: 'python' },
};

/** @typedef {'compiler' | 'cmake' | 'pip'} Need */

/**
 * Which package manager a system has, from its platform and the text of its /etc/os-release.
 * @param {NodeJS.Platform} platform
 * @param {string} osRelease
 * @returns {keyof typeof PACKAGES | null}
 */
export function packageManager(platform, osRelease) {
  if (platform === 'darwin') return 'brew';
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
  if (ids.some((id) => ['debian', 'ubuntu'].includes(id))) return 'apt';
  if (ids.some((id) => ['fedora', 'rhel', 'centos'].includes(id))) return 'dnf';
  if (ids.includes('arch')) return 'pacman';
  if (ids.some((id) => id === 'suse' || id.startsWith('opensuse'))) return 'zypper';
  if (ids.includes('alpine')) return 'apk';
  return null;
}

/**
 * The command that installs what is missing.
 * @param {Need[]} needs
 * @param {NodeJS.Platform} platform
 * @param {string} osRelease
 * @returns {string}
 */
export function installCommand(needs, platform, osRelease) {
  if (platform === 'win32') return 'wsl --install   (building from source is for Linux and macOS: run this inside WSL)';
  const manager = packageManager(platform, osRelease);
  if (platform === 'darwin' && needs.includes('compiler')) {
    const rest = needs.filter((need) => need !== 'compiler');
    return ['xcode-select --install', ...(rest.length > 0 ? [installCommand(rest, platform, osRelease)] : [])].join(' && ');
  }
  if (manager === null) return `your system's installer, for: ${needs.join(', ')}`;
  const names = PACKAGES[manager];
  return `${names.install} ${needs.map((need) => names[need]).join(' ')}`;
}

/**
 * Whether this Node can run set-up: on Linux x64 an older one will do, since `npm ci` brings a newer one.
 * @param {string} version such as "20.19.0"
 * @param {NodeJS.Platform} platform
 * @param {string} arch
 * @returns {string | null} what to do, or null if it can
 */
export function nodeProblem(version, platform, arch) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const least = platform === 'linux' && arch === 'x64' ? [20, 19] : [22, 12];
  const [leastMajor = 0, leastMinor = 0] = least;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return null;
  return (
    `Node ${version} is too old: ${leastMajor}.${leastMinor} or later is needed.\n` +
    '    Install the current release from https://nodejs.org (or: nvm install --lts)'
  );
}

/** The first C++ compiler here that knows C++20, or null. */
export async function findCompiler() {
  const candidates = [process.env['CXX'] ?? '', 'c++', 'g++', 'clang++'].filter((name) => name !== '');
  for (const command of candidates) {
    const args = ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'];
    if ((await runChild(command, args, { capture: true, input: CPP20_PROBE })).code === 0) return command;
  }
  return null;
}

/** Whether there is a CMake that is new enough for the presets. */
async function hasCmake() {
  const { code, output } = await runChild('cmake', ['--version'], { capture: true });
  const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(output) ?? []).map(Number);
  return code === 0 && (major > CMAKE_LEAST.major || (major === CMAKE_LEAST.major && minor >= CMAKE_LEAST.minor));
}

/** Whether `python3 -m pip` runs. */
async function hasPip() {
  return (await runChild('python3', ['-m', 'pip', '--version'], { capture: true })).code === 0;
}

/**
 * What is missing of the given needs, as text for a person with the command that installs it; null if nothing is.
 * @param {Need[]} needs
 * @returns {Promise<string | null>}
 */
export async function missing(needs) {
  /** @type {Need[]} */
  const lacking = [];
  const lines = [];
  if (needs.includes('compiler') && (await findCompiler()) === null) {
    lacking.push('compiler');
    lines.push('  - a C++20 compiler (GCC 11 or later, Clang 14 or later)');
  }
  if (needs.includes('cmake') && !(await hasCmake())) {
    lacking.push('cmake');
    lines.push(`  - CMake ${CMAKE_LEAST.major}.${CMAKE_LEAST.minor} or later`);
  }
  if (needs.includes('pip') && !(await hasPip())) {
    lacking.push('pip');
    lines.push("  - Python's pip (python3 -m pip), which fetches the default model");
  }
  if (lacking.length === 0) return null;
  let osRelease = '';
  try {
    osRelease = readFileSync('/etc/os-release', 'utf8');
  } catch {
    // Not Linux, or an unusual one: the advice is then general.
  }
  return `Something is missing:\n${lines.join('\n')}\nInstall it with:\n    ${installCommand(lacking, process.platform, osRelease)}`;
}

/**
 * How npm is started: on Windows it is a script, which only Node can start without a shell.
 * @param {NodeJS.Platform} platform
 * @param {NodeJS.ProcessEnv} env
 * @param {string} node the Node that runs this
 * @returns {[command: string, ...args: string[]]}
 */
export function npmCommand(platform, env, node) {
  if (platform !== 'win32') return ['npm'];
  const { npm_execpath: started = '' } = env;
  const beside = win32.join(win32.dirname(node), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  return [node, /[\\/]npm-cli\.js$/.test(started) ? started : beside];
}
