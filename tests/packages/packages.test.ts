// The build, the npm package and the unpacked desktop app: what is in them, what is not, and that they work by themselves.
import { extractFile, listPackage, statFile } from '@electron/asar';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';
import { parseAst } from 'vite';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, root, temporaryFolder } from '../support/files.ts';
import { buildProject, runTool } from './built-project.ts';

const run = promisify(execFile);
let project = '';

beforeAll(async () => {
  project = await buildProject();
}, 300_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

function text(...path: string[]): string {
  return readFileSync(join(project, ...path), 'utf8');
}

/** Bytes of all files under a folder. */
function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0);
}

interface AnyNode {
  type: string;
  source?: { value?: unknown } | null;
  callee?: { type: string; name?: string };
  arguments?: { value?: unknown }[];
}

/** Everything that a built file imports or requires by name; those that only some code path needs count too. */
function importsOf(file: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const node = value as AnyNode;
    const name = /^(Import|Export)/.test(node.type)
      ? node.source?.value
      : node.type === 'CallExpression' && /^(__)?require$/.test(node.callee?.name ?? '')
        ? node.arguments?.[0]?.value
        : undefined;
    if (typeof name === 'string') found.add(name);
    for (const part of Object.values(value)) walk(part);
  };
  walk(parseAst(readFileSync(file, 'utf8')));
  return [...found];
}

/** The same over all files that `entry` reaches, without those that come with Node. */
function reachedFrom(...entry: string[]): string[] {
  const files = [join(project, 'out', ...entry)];
  const packages = new Set<string>();
  for (const file of files) {
    for (const name of importsOf(file)) {
      if (isBuiltin(name)) continue;
      if (!name.startsWith('.')) packages.add(name);
      else if (!files.includes(join(file, '..', name))) files.push(join(file, '..', name));
    }
  }
  return [...packages].sort();
}

describe('the build', () => {
  it('needs nothing but better-sqlite3, and Electron in the desktop app', () => {
    expect(reachedFrom('main', 'index.js')).toEqual(['better-sqlite3', 'electron']);
    expect(reachedFrom('main', 'cli.js')).toEqual(['better-sqlite3']);
    expect(reachedFrom('main', 'engine-host.js')).toEqual([]);
    expect(reachedFrom('preload', 'index.cjs')).toEqual(['electron']);
  });

  it('has a page that its strictest policy lets run: no inline script or style, nothing made from text', () => {
    const page = text('out', 'renderer', 'index.html');
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    const links = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link ?? '');
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) expect(statSync(join(project, 'out', 'renderer', link)).isFile(), link).toBe(true);
    for (const script of globSync('out/renderer/assets/*.js', { cwd: project })) {
      expect([...text(script).matchAll(/.{40}(?:\beval\(|\bFunction\().{40}/g)].map(String)).toEqual([]);
    }
    // Svelte makes elements from its own templates, which are constants; the page's sources never make markup from text.
    for (const source of globSync('renderer/**/*.{ts,svelte}', { cwd: root })) {
      expect(readFileSync(join(root, source), 'utf8'), source).not.toMatch(/\{@html|innerHTML|outerHTML|insertAdjacentHTML|cssText|document\.write/);
    }
  });

  it('has a page that is at the screen soon: at most 400 kB as it travels', () => {
    const files = globSync('out/renderer/**/*.{html,js,css,svg}', { cwd: project });
    const bytes = files.map((file) => gzipSync(text(file), { level: 9 }).length).reduce((sum, size) => sum + size, 0);
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(400_000);
  });

  it('keeps the licences of what is bundled', () => {
    for (const name of ['fastify', 'zod', 'commander', '@huggingface/jinja']) expect(text('out', 'main', 'LICENSES.md')).toContain(`## ${name} -`);
    expect(text('out', 'renderer', 'LICENSES.md')).toContain('## intl-messageformat -');
  });
});

describe('the npm package', () => {
  let place = '';

  beforeAll(async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], { cwd: project });
    const [packed] = JSON.parse(stdout) as { filename: string }[];
    place = join(project, 'unpacked');
    mkdirSync(join(place, 'node_modules'), { recursive: true });
    await run('tar', ['xzf', join(project, packed?.filename ?? ''), '-C', place]);
    symlinkSync(join(root, 'node_modules', 'better-sqlite3'), join(place, 'node_modules', 'better-sqlite3'));
  }, 120_000);

  const namesake = (home: string, ...args: string[]) => {
    const { NAMESAKE_ADDON: _addon, ...env } = process.env;
    return run(process.execPath, [join(place, 'package', 'out', 'main', 'cli.js'), '--home', home, '--json', ...args], { cwd: place, env });
  };
  const last = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;

  it('holds the program, its resources and the addon, and nothing else', () => {
    const names = readdirSync(join(place, 'package'), { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(place, 'package', name)).isFile());
    const expected = /^(package\.json|README\.md|LICENSE|out\/(main|renderer)\/.+|resources\/.+|native\/build\/release\/namesake\.node|native\/third_party\/yyjson\/LICENSE)$/;
    expect(names.map((name) => name.replaceAll(sep, '/')).filter((name) => !expected.test(name) || /\.map$|icons\/app/.test(name))).toEqual([]);
    expect(bytesOf(join(place, 'package'))).toBeLessThan(20e6);
  });

  it('looks at itself and makes an assistant', async () => {
    const home = temporaryFolder();
    expect(last((await namesake(home, 'doctor')).stdout)).toMatchObject({ event: 'result' });
    const recipe = join(home, 'recipe.json');
    writeFileSync(join(home, 'rows.jsonl'), `${JSON.stringify({ messages: [{ role: 'user', content: 'Who?' }, { role: 'assistant', content: 'Bo' }] })}\n`);
    writeFileSync(recipe, JSON.stringify({ version: 1, name: 'packed', model: { ref: fixture('tiny-llama.gguf') }, data: { source: join(home, 'rows.jsonl'), max_length: 128 }, steps: 3, batch_tokens: 128, evaluate: null }));
    const trained = last((await namesake(home, 'train', recipe)).stdout);
    expect(trained).toMatchObject({ event: 'result', steps: 3 });
    expect(statSync(join(String(trained['adapter']), 'adapter_model.safetensors')).size).toBeGreaterThan(0);
  }, 240_000);

  it('serves its page', async () => {
    const args = [join(place, 'package', 'out', 'main', 'cli.js'), '--home', temporaryFolder(), '--json', 'serve', '--port', '0'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const url = await new Promise<string>((resolve, reject) => {
        child.stdout.setEncoding('utf8').once('data', (line: string) => resolve((JSON.parse(line) as { url: string }).url));
        child.once('exit', (code) => reject(new Error(`serve ended with ${code}`)));
      });
      const login = await fetch(url, { redirect: 'manual' });
      const [cookie = ''] = login.headers.getSetCookie()[0]?.split(';') ?? [];
      const page = await fetch(new URL(login.headers.get('location') ?? '', url), { headers: { cookie } });
      expect(await page.text()).toBe(text('out', 'renderer', 'index.html'));
    } finally {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    }
  }, 120_000);
});

/** An Electron without the program: its binary is where its fuses are. */
function stubElectron(): string {
  const folder = join(project, 'electron');
  mkdirSync(folder);
  const fuses = Buffer.concat([Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'), Buffer.from([1, 9]), Buffer.from('101100011')]);
  writeFileSync(join(folder, 'electron'), Buffer.concat([Buffer.from('ELF'), fuses, Buffer.alloc(64)]));
  chmodSync(join(folder, 'electron'), 0o755);
  mkdirSync(join(folder, 'locales'));
  for (const name of ['version', 'resources.pak', 'LICENSE', 'LICENSES.chromium.html', 'locales/en-US.pak', 'locales/zh-CN.pak', 'locales/de.pak']) {
    writeFileSync(join(folder, name), name === 'version' ? '45.4.1' : 'x');
  }
  return folder;
}

describe('the desktop app, unpacked', () => {
  let app = '';
  let archive = '';
  let files: string[] = [];

  beforeAll(async () => {
    const options = ['--linux', 'dir', '--x64', '--publish', 'never', `--config.electronDist=${stubElectron()}`];
    await runTool('electron-builder/cli.js', options, project);
    app = join(project, 'dist', 'linux-unpacked');
    archive = join(app, 'resources', 'app.asar');
    files = listPackage(archive, { isPack: false }).map((name) => name.slice(1).replaceAll(sep, '/'));
  }, 300_000);

  it('is small without Electron', () => {
    expect(bytesOf(join(app, 'resources'))).toBeLessThan(60e6);
  });

  it('holds what runs, and no sources, tests, maps, other systems’ binaries or bundled packages', () => {
    const needed = ['package.json', 'LICENSE', 'out/main/index.js', 'out/main/engine-host.js', 'out/preload/index.cjs', 'out/renderer/index.html', 'resources/models.json', 'resources/adapters/smollm2_135m_identity/adapter_config.json', 'resources/adapters/smollm2_135m_identity/adapter_model.safetensors', 'resources/icons/tray.png', 'out/main/LICENSES.md'];
    expect(files).toEqual(expect.arrayContaining(needed));
    expect(files.filter((name) => /\.map$|\.ts$|^tests|^native\/(?!build|third_party)|icons\/app|\.(cc|cpp|c|h|gyp)$/.test(name))).toEqual([]);
    const packages = files.filter((name) => /^node_modules\/[^/]+$/.test(name));
    expect(packages).toEqual(['node_modules/better-sqlite3']);
    expect(files.filter((name) => name.endsWith('.node')).sort()).toEqual(['native/build/release/namesake.node', 'node_modules/better-sqlite3/prebuilds/linux-x64.node']);
  });

  it('has its native code beside the archive, where the system can open it', () => {
    for (const name of files.filter((file) => file.endsWith('.node'))) {
      expect(statFile(archive, name)).toMatchObject({ unpacked: true });
      expect(statSync(join(`${archive}.unpacked`, name)).size).toBeGreaterThan(1e6);
    }
  });

  it('starts at the desktop entry and knows where its home page is', () => {
    const manifest = JSON.parse(extractFile(archive, 'package.json').toString()) as Record<string, unknown>;
    expect(manifest).toMatchObject({ main: 'out/main/index.js', type: 'module' });
    expect(manifest['homepage']).toMatch(/^https:/);
    expect(manifest['devDependencies']).toBeUndefined();
  });

  it('has its fuses blown: no Node, no inspector, no code from outside the archive', () => {
    const binary = readFileSync(join(app, 'namesake'));
    const at = binary.indexOf('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX') + 34;
    // runAsNode, cookie encryption, NODE_OPTIONS, --inspect, archive checked, only from the archive, (V8 snapshot), file protocol
    expect(binary.toString('latin1', at, at + 8)).toBe('00001100');
  });

  it('looks for updates at a plain web server, and keeps the languages that it speaks', () => {
    expect(readFileSync(join(app, 'resources', 'app-update.yml'), 'utf8')).toMatch(/provider: generic\nurl: https:/);
    expect(readdirSync(join(app, 'locales')).sort()).toEqual(['en-US.pak', 'zh-CN.pak']);
  });
});
