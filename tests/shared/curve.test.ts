// A curve put together from parts.
import { describe, expect, it } from 'vitest';
import { withPart } from '../../shared/curve.ts';

const steps = (from: number, to: number): { step: number; at?: string }[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({ step: from + i }));

describe('withPart', () => {
  it.each([
    ['the first steps', steps(1, 0), { after: 0, steps: steps(1, 3) }, steps(1, 3)],
    ['steps behind the last one', steps(1, 3), { after: 3, steps: steps(4, 5) }, steps(1, 5)],
    ['steps that come again', steps(1, 9), { after: 4, steps: steps(5, 6) }, steps(1, 6)],
    ['a run that went back', steps(1, 9), { after: 6, steps: [] }, steps(1, 6)],
    ['a run that went back to its beginning', steps(1, 9), { after: 0, steps: [] }, []],
    ['nothing new', steps(1, 3), { after: 3, steps: [] }, steps(1, 3)],
  ])('%s', (_, curve, part, expected) => {
    const before = structuredClone(curve);
    expect(withPart(curve, part)).toEqual(expected);
    expect(curve).toEqual(before);
  });

  it('puts the later measure of a step in the place of the earlier one', () => {
    expect(withPart([{ step: 1, at: 'first' }, { step: 2, at: 'first' }], { after: 1, steps: [{ step: 2, at: 'again' }] })).toEqual([
      { step: 1, at: 'first' },
      { step: 2, at: 'again' },
    ]);
  });

  it.each([
    ['a gap behind the curve', steps(1, 3), { after: 4, steps: steps(5, 6) }],
    ['a curve that has not begun', [], { after: 2, steps: steps(3, 4) }],
    ['a run that went back further than the curve goes', steps(1, 3), { after: 5, steps: [] }],
  ])('says where steps are missing: %s', (_, curve, part) => {
    expect(withPart(curve, part)).toBeNull();
  });
});
