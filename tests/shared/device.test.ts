// Names of devices: the page knows them without the recipe's schema, and both agree.
import { expect, it } from 'vitest';
import { cardNamed, isCard, ordinalOf } from '../../shared/device.ts';
import { deviceSchema, devices } from '../../shared/recipe.ts';

const numbered = ['cuda:0', 'cuda:1', 'cuda:15', 'cuda:99'];
const wrong = ['', 'gpu', 'cuda:', 'cuda:-1', 'cuda:100', 'cuda:1.5', 'cuda:1 ', 'cuda: 1', 'CUDA', 'cuda1', 'xcuda:1', 'cuda:one', 'cpu:0'];

it('a card is named alone or with its number, in recipes too', () => {
  expect([...devices, ...numbered, ...wrong].filter(isCard)).toEqual(['cuda', ...numbered]);
  expect([...devices, ...numbered, ...wrong].filter((name) => deviceSchema.safeParse(name).success)).toEqual([...devices, ...numbered]);
});

it('the number is that of the name; without one, none', () => {
  expect([...numbered, ...devices, ...wrong].map(ordinalOf).filter((ordinal) => ordinal !== null)).toEqual([0, 1, 15, 99]);
  expect([0, 7].map((ordinal) => ordinalOf(cardNamed(ordinal)))).toEqual([0, 7]);
});
