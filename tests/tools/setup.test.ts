// setup.mjs as a process, in a small stand-in checkout: the real tools/, tiny sources, nothing that npm must fetch.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processStart } from '../../tools/lock.mjs';
import { noise, root, scratch, serve, sha256, startNode } from './support.ts';

const model = noise(200_000, 9);

function write(path: string, text: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** A checkout whose outputs are newer than its sources; `modelUrl` is where its default model lies. */
function checkout(modelUrl: string): string {
  const folder = scratch();
  cpSync(join(root, 'tools'), join(folder, 'tools'), { recursive: true });
  const entry = {
    id: 'tiny',
    file: 'tiny.gguf',
    size_bytes: model.length,
    sha256: sha256(model),
    sources: [{ kind: 'url', url: modelUrl }],
  };
  write(join(folder, 'resources/models.json'), JSON.stringify({ default: 'tiny', models: [entry] }));
  const lock = Buffer.from('{"lockfileVersion":3}');
  const sources = ['main/cli/index.ts', 'shared/run.ts', 'renderer/main.ts', 'electron.vite.config.ts', 'native/CMakeLists.txt', 'native/engine/graph.cpp'];
  for (const source of sources) write(join(folder, source), '');
  write(join(folder, 'package-lock.json'), lock);
  const then = Date.now() / 1000 - 60;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) utimesSync(join(folder, name), then, then);
  const outputs = [
    ...['main/index.js', 'main/cli.js', 'main/engine-host.js', 'preload/index.cjs', 'renderer/index.html', '.built'].map((name) => join('out', name)),
    ...['release/namesake.node', '.built'].map((name) => join('native/build', name)),
  ];
  for (const output of outputs) write(join(folder, output), '');
  write(join(folder, 'node_modules/.namesake-lock'), sha256(lock));
  return folder;
}

function setup(folder: string, ...args: string[]) {
  return startNode(['tools/setup.mjs', '--home', join(folder, 'home'), ...args], { cwd: folder }).end;
}

describe('setup', () => {
  it('fetches the default model; a second run has nothing to do and is quick', async () => {
    const server = await serve(model);
    const folder = checkout(server.url('/m'));
    const first = await setup(folder);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toMatch(/100%/);
    expect(existsSync(join(folder, 'home/models/tiny/tiny.gguf'))).toBe(true);
    const seconds: number[] = [];
    for (let i = 0; i < 3; i++) {
      const start = performance.now();
      expect(await setup(folder)).toEqual({ code: 0, stderr: '' });
      seconds.push((performance.now() - start) / 1000);
    }
    // 0.1 s measured; 2 s is what is promised. What else the machine does can only add to it.
    expect(Math.min(...seconds)).toBeLessThan(2);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['a changed source of the program', 'shared/run.ts', /building the program/],
    ['a new file', 'main/services/run.ts', /building the program/],
    ['a changed source of the page', 'renderer/main.ts', /building the program/],
    ['a new preload', 'preload/index.ts', /building the program/],
    ['a changed source of the engine', 'native/engine/graph.cpp', /building the engine/],
  ])('builds after %s, and says so when it cannot', async (_what, file, message) => {
    const folder = checkout('http://127.0.0.1:1/none');
    write(join(folder, file), 'changed');
    const { code, stderr } = await setup(folder, '--no-model');
    expect(code).toBe(1); // there is neither electron-vite nor a preset here
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/failed \(code \d+\)/);
    // The failed product counts as not built: the next run tries again.
    expect((await setup(folder, '--no-model')).stderr).toMatch(message);
  });

  it('builds after a source that was saved in the same tick of the clock as the stamp', async () => {
    const folder = checkout('http://127.0.0.1:1/none');
    const tick = new Date(Date.now() - 30_000);
    for (const name of ['out/.built', 'shared/run.ts']) utimesSync(join(folder, name), tick, tick);
    expect((await setup(folder, '--no-model')).stderr).toMatch(/building the program/);
  });

  it.each([
    ['an output is gone', 'out/main/engine-host.js'],
    ['the page is gone', 'out/renderer/index.html'],
    ['a build was cut short', 'out/.built'],
  ])('builds when %s', async (_what, file) => {
    const folder = checkout('http://127.0.0.1:1/none');
    rmSync(join(folder, file));
    expect((await setup(folder, '--no-model')).stderr).toMatch(/building the program/);
  });

  it('installs packages when the lock file changed, and stops when that fails', async () => {
    const folder = checkout('http://127.0.0.1:1/none');
    write(join(folder, 'package-lock.json'), '{"lockfileVersion":3,"packages":{}}');
    const { code, stderr } = await setup(folder, '--no-model'); // no package.json: npm refuses
    expect(code).toBe(1);
    expect(stderr).toMatch(/installing packages[^]*npm ci failed/);
  });

  it('ends what it started when it is killed, and the next run goes on', async () => {
    const folder = checkout('http://127.0.0.1:1/none');
    write(join(folder, 'package-lock.json'), '{"lockfileVersion":3,"packages":{}}');
    // An npm that never ends.
    const bin = scratch();
    const pidFile = join(bin, 'pid');
    writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho $$ > ${pidFile}\nexec sleep 600\n`, { mode: 0o755 });
    const options = { cwd: folder, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } };
    const { child, end } = startNode(['tools/setup.mjs', '--no-model'], options);
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8'), { timeout: 10_000 }).toMatch(/\d\n/);
    const npm = Number(readFileSync(pidFile, 'utf8'));
    expect(processStart(npm)).not.toBeNull();
    child.kill('SIGTERM');
    expect((await end).code).toBe(143);
    await expect.poll(() => processStart(npm)).toBeNull();
    // The lock of the killed run is no obstacle.
    const { code, stderr } = await setup(folder, '--no-model');
    expect(code).toBe(1);
    expect(stderr).toMatch(/npm ci failed/);
    expect(stderr).not.toMatch(/waiting/);
  });

  it('says where the model could not be had, leaves nothing and exits with 1', async () => {
    const server = await serve(model, (_request, response) => {
      response.writeHead(404).end();
      return true;
    });
    const folder = checkout(server.url('/gone'));
    const { code, stderr } = await setup(folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(/could not fetch tiny:\n {2}- .*\/gone: the server answered 404/);
    expect(readdirSync(join(folder, 'home/models/tiny'))).toEqual([]);
  });

  it('a home that cannot be made is a message, not a stack', async () => {
    const folder = checkout('http://127.0.0.1:1/none');
    writeFileSync(join(folder, 'home'), 'a file');
    const { code, stderr } = await setup(folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(/ENOTDIR|EEXIST/);
    expect(stderr).not.toMatch(/ {4}at /);
  });

  it('names what is missing before it starts anything', async () => {
    const folder = checkout('http://127.0.0.1:1/none');
    write(join(folder, 'native/engine/graph.cpp'), 'changed');
    const started = startNode(['tools/setup.mjs', '--home', join(folder, 'home')], { cwd: folder, env: { PATH: scratch(), CXX: '' } });
    const { code, stderr } = await started.end;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Something is missing:[^]*compiler[^]*CMake[^]*pip[^]*Install it with:/);
    expect(existsSync(join(folder, 'home'))).toBe(false);
  });
});
