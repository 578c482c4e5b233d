import { expect, test } from 'vitest';
import { composing, isEnter } from '../../../renderer/ui/keys.ts';

test('a key of an input method is not the person’s own, told either way', () => {
  expect(composing({ isComposing: true, keyCode: 13 })).toBe(true);
  expect(composing({ isComposing: false, keyCode: 229 })).toBe(true);
  expect(composing({ isComposing: false, keyCode: 13 })).toBe(false);
});

test('only Enter is Enter, and not the one that ends a composition', () => {
  expect(isEnter({ key: 'Enter', isComposing: false, keyCode: 13 })).toBe(true);
  expect(isEnter({ key: 'a', isComposing: false, keyCode: 65 })).toBe(false);
  expect(isEnter({ key: 'Enter', isComposing: true, keyCode: 13 })).toBe(false);
  expect(isEnter({ key: 'Enter', isComposing: false, keyCode: 229 })).toBe(false);
});
