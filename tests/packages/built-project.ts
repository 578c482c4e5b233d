// The built program in a folder of its own: what a checkout holds when everything is made, without its sources.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../support/files.ts';

const run = promisify(execFile);

/** Runs a program of node_modules to its end and gives what it wrote; rejects with that where it failed. */
export async function runTool(script: string, args: string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [join(root, 'node_modules', script), ...args], { cwd, maxBuffer: 64e6 });
  return stdout + stderr;
}

/** Builds into a new folder (the caller removes it) with the files that packages are made from. */
export async function buildProject(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'namesake-built-'));
  await runTool('electron-vite/bin/electron-vite.js', ['build', '--outDir', join(folder, 'out'), '--logLevel', 'error'], root);
  const files = ['package.json', 'package-lock.json', 'README.md', 'LICENSE', 'electron-builder.yml', 'resources', 'native/third_party/yyjson/LICENSE'];
  for (const file of [...files, 'native/build/release/namesake.node']) cpSync(join(root, file), join(folder, file), { recursive: true });
  // What must stay out of packages.
  mkdirSync(join(folder, 'tests'));
  cpSync(join(root, 'vitest.config.ts'), join(folder, 'tests', 'vitest.config.ts'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
