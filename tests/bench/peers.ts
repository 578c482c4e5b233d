// Peers: the Python programs that figures are compared with, in an environment of their own. Nothing but benches uses it.
//
//   node tests/support/run.mjs tests/bench/peers.ts        # sets it up (3 GB, some minutes)
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { env, stderr } from 'node:process';
import { runChild } from '../../tools/child.mjs';
import { root } from '../support/files.ts';

const folder = env['NAMESAKE_PEERS'] ?? join(root, 'native', 'build', 'peers');
const python = join(folder, 'bin', 'python');

/** What is installed; torch first, since others would bring another one with them. */
const PACKAGES = [
  ['torch==2.13.0'],
  ['transformers==5.24.0', 'peft==0.21.2', 'bitsandbytes==0.50.2', 'accelerate==1.15.0', 'gguf==0.19.0', 'numpy'],
  ['llama-cpp-python==0.3.36'],
];

async function mustRun(command: string, args: string[], environment: NodeJS.ProcessEnv = {}): Promise<void> {
  const { code } = await runChild(command, args, { env: { ...env, ...environment } });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}`);
}

/** The Python of the peers, which is set up where it is not there yet: in NAMESAKE_PEERS, or in native/build/peers. */
export async function peersPython(): Promise<string> {
  if (existsSync(join(folder, 'complete'))) return python;
  stderr.write(`setting up the peers in ${folder}\n`);
  await mustRun('python3', ['-m', 'venv', folder]);
  // llama.cpp is compiled for this machine, as who measures it would.
  for (const packages of PACKAGES) await mustRun(python, ['-m', 'pip', 'install', '-q', ...packages], { CMAKE_ARGS: '-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF' });
  await mustRun('touch', [join(folder, 'complete')]);
  return python;
}

/** One run of a peer's script: the last line of JSON that it prints, if any. */
export async function runPeer(script: string, args: string[], environment: NodeJS.ProcessEnv = {}): Promise<Record<string, unknown>> {
  const { code, output } = await runChild(await peersPython(), [join(root, 'tests', script), ...args], {
    capture: true,
    env: { ...env, ...environment },
  });
  const last = output.split('\n').findLast((line) => line.startsWith('{'));
  if (code !== 0) throw new Error(`${script} ${args.join(' ')}: exit ${code}\n${output.slice(-2000)}`);
  return last === undefined ? {} : (JSON.parse(last) as Record<string, unknown>);
}
