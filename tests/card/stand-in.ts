// The program on the stand-in for NVIDIA's driver: an addon that is built for this alone, and a library in the place of the driver.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namesake, type CliOptions, type CliResult } from '../support/cli.ts';
import { root } from '../support/files.ts';

const folder = join(root, 'native', 'build', 'release', 'ptxcpu');
const driver = join(folder, 'libcuda.so.1');
const addon = join(folder, 'namesake.node');

for (const path of [driver, addon]) if (!existsSync(path)) throw new Error(`${path} is not there: npm run test:card builds it`);

/** Variables of a stand-in; tests/native/ptxcpu/README.md lists them. */
export type StandIn = Partial<Record<`PTXCPU_${string}` | 'NAMESAKE_TEST_DRIVER', string>>;

/** The environment in which the addon finds a card, an RTX 2060 where nothing else is said. */
export function onCard(variables: StandIn = {}): Record<string, string> {
  return {
    NAMESAKE_ADDON: addon,
    NAMESAKE_TEST_DRIVER: driver,
    PTXCPU_PROFILE: 'turing-6gb',
    PTXCPU_CACHE: join(folder, 'cache'),
    PTXCPU_STRICT: '1',
    PTXCPU_GUARD: '1',
    ...variables,
  };
}

/** Runs a command with --json on it. */
export function onStandIn(args: readonly string[], home: string, variables: StandIn = {}, options: Partial<CliOptions> = {}): Promise<CliResult> {
  return namesake([...args, '--json'], { ...options, home, env: { ...onCard(variables), ...options.env } });
}
