// What no kernel may have: instructions of its own outside of one file, and sums whose order the card chooses.
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const native = join(import.meta.dirname, '..', '..', 'native');
const ASSEMBLY = 'backend/cuda/kernels/asm.cuh';

/** Files below `folder` with one of these endings, as paths below native/. */
function files(folder: string, endings: RegExp): string[] {
  return readdirSync(join(native, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.test(name))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

/** Inline assembly in a text, without its comments. */
function assembly(text: string): string[] {
  return text.replaceAll(/\/\/.*|\/\*[^]*?\*\//g, '').match(/\b(?:__)?asm(?:__)?\b\s*(?:volatile|__volatile__)?\s*\(/g) ?? [];
}

/** Atomic operations in PTX: each with its space, operation and type. */
function atomics(ptx: string): string[] {
  return ptx.match(/\b(?:atom|red)\.[\w.]+/g) ?? [];
}

describe('kernels', () => {
  const sources = [...files('backend/cuda', /\.(cpp|h|cu|cuh)$/), ...files('ladder', /\.(h|cu|cuh)$/)];
  const ptx = [...files('backend/cuda/ptx', /\.ptx$/), ...files('ladder/ptx', /\.ptx$/)];

  it('have inline assembly in one file alone', () => {
    expect(sources).toContain(ASSEMBLY);
    expect(sources.filter((file) => assembly(readFileSync(join(native, file), 'utf8')).length > 0)).toEqual([ASSEMBLY]);
  });

  // The order of a sum that is made by atomics is another each time; the largest of all is the same in any order.
  it('have no atomic operation but the largest of whole numbers', () => {
    expect(ptx.length).toBeGreaterThan(20);
    expect([...new Set(ptx.flatMap((file) => atomics(readFileSync(join(native, file), 'utf8'))))]).toEqual(['atom.global.max.u32']);
  });
});
