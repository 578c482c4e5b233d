// What an installation rests on: exact versions, no hosts in the lock file, third-party sources unchanged.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('package.json', () => {
  const manifest = JSON.parse(text('package.json')) as Record<string, Record<string, string> | undefined>;

  it.each(['dependencies', 'devDependencies', 'optionalDependencies'])('names exact versions in %s', (kind) => {
    const versions = Object.entries(manifest[kind] ?? {});
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('has a lock file without the addresses of registries', () => {
    const lock = JSON.parse(text('package-lock.json')) as { packages: Record<string, { resolved?: string; integrity?: string }> };
    expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
    const unchecked = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.integrity === undefined);
    // Entries nested inside a package's own tarball have no checksum of their own.
    expect(unchecked.filter(([, entry]) => !('inBundle' in entry)).map(([path]) => path)).toEqual([]);
  });

  it('runs no install scripts', () => {
    expect(text('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });
});

describe('workflows', () => {
  const folder = join(root, '.github', 'workflows');
  const workflows = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);

  it.each(workflows)('%s runs only what was looked at: actions by their commit, no secrets, no rights but those named', (_name, workflow) => {
    const uses = [...workflow.matchAll(/\buses:\s*(.+)/g)].map(([, action = '']) => action);
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
    expect(workflow).toMatch(/^permissions: \{\}$/m);
    expect(workflow).not.toMatch(/\bsecrets\./);
    // What others may write (a branch's name, a title) reaches a shell as a variable, never as part of the script.
    const scripts = [...workflow.matchAll(/^( *)run: (?:\|\n((?:\1 {2}.*\n|\n)+)|(.*)\n)/gm)].map(([, , block, line]) => block ?? line ?? '');
    expect(scripts.length).toBeGreaterThan(5);
    expect(scripts.filter((script) => /\$\{\{\s*github\./.test(script))).toEqual([]);
  });
});

describe('native/third_party', () => {
  const folders = readdirSync(join(root, 'native', 'third_party'));

  it.each(folders)('%s has its licence and is what its README says', (folder) => {
    const names = readdirSync(join(root, 'native', 'third_party', folder));
    expect(names.some((name) => name.startsWith('LICENSE'))).toBe(true);
    const listed = [...text('native', 'third_party', folder, 'README.md').matchAll(/^\| (\S+) \| `([0-9a-f]{64})` \|$/gm)];
    expect(listed.length).toBeGreaterThan(0);
    for (const [, name = '', hash] of listed) {
      const found = createHash('sha256').update(text('native', 'third_party', folder, name)).digest('hex');
      expect(found, name).toBe(hash);
    }
  });
});
