// Input: what a window sent, before anything looks at it: plain data of bearable size, without names that reach into objects.
import { NamesakeError } from '../../shared/errors.ts';

const DEEPEST = 32;
const MOST_NODES = 100_000;
const MOST_CHARACTERS = 4_000_000;
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

function invalid(detail: string): NamesakeError {
  return new NamesakeError('request.invalid', detail);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Throws request.invalid for a value that is not JSON-like (objects, arrays, texts, finite numbers, booleans, null), nested
 * deeper than 32, of more than 100,000 parts, or with a key that names a prototype; request.too_large for too much text.
 */
export function checkInput(value: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  let nodes = 0;
  let characters = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value: node, depth } = next;
    if (++nodes + open.length > MOST_NODES) throw invalid(`more than ${MOST_NODES} parts`);
    if (typeof node === 'string') characters += node.length;
    else if (typeof node === 'object' && node !== null) {
      if (depth > DEEPEST) throw invalid(`nested deeper than ${DEEPEST}`);
      if (Array.isArray(node)) {
        if (node.length > MOST_NODES) throw invalid(`more than ${MOST_NODES} parts`);
        for (const value of node) open.push({ value, depth: depth + 1 });
      } else if (isPlain(node)) {
        for (const key of Reflect.ownKeys(node)) {
          if (typeof key !== 'string' || FORBIDDEN.has(key)) throw invalid(`a key cannot be ${JSON.stringify(String(key))}`);
          characters += key.length;
          open.push({ value: (node as Record<string, unknown>)[key], depth: depth + 1 });
        }
      } else throw invalid('it holds something that is not plain data');
    } else if (!['number', 'boolean', 'undefined'].includes(typeof node) && node !== null) {
      throw invalid(`it holds a ${typeof node}`);
    }
    if (characters > MOST_CHARACTERS) throw new NamesakeError('request.too_large', `more than ${MOST_CHARACTERS} characters`);
  }
}
