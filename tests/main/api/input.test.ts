// What is refused before a schema looks at it.
import { describe, expect, it } from 'vitest';
import { checkInput } from '../../../main/api/input.ts';
import { thrownBy } from '../../support/errors.ts';

const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);

describe('checkInput', () => {
  it.each([[undefined], [null], [1], ['text'], [[]], [{}], [nested(32)], [Array(99_999).fill(0)], [{ a: { b: [1, 'x', null, true] } }], [Object.create(null)]])('lets %j through', (value) => {
    expect(() => checkInput(value)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ['deep arrays', nested(33)],
    ['very deep arrays', nested(100_000)],
    ['many parts', Array(100_000).fill(0)],
    ['many parts in few arrays', Array.from({ length: 400 }, () => Array(400).fill(0))],
    ['__proto__', JSON.parse('{"a":[{"__proto__":1}]}')],
    ['constructor', { constructor: 1 }],
    ['prototype', { a: { prototype: 1 } }],
    ['symbols', { [Symbol('x')]: 1 }],
    ['dates', new Date()],
    ['maps', new Map()],
    ['typed arrays', { a: new Uint8Array(4) }],
    ['objects of a class', new URL('app://namesake/')],
    ['functions', () => undefined],
    ['big integers', 1n],
  ])('refuses %s', (_, value) => {
    expect(thrownBy(() => checkInput(value)).code).toBe('request.invalid');
  });

  it('refuses endless circles and too much text', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(thrownBy(() => checkInput(circle)).code).toBe('request.invalid');
    expect(thrownBy(() => checkInput({ a: ['x'.repeat(3_000_000), 'y'.repeat(2_000_000)] })).code).toBe('request.too_large');
    expect(thrownBy(() => checkInput({ ['k'.repeat(5_000_000)]: 1 })).code).toBe('request.too_large');
  });
});
