// Addresses of places: each is read as it is written, and what is none leads to the first screen.
import { describe, expect, it } from 'vitest';
import { hashOf, placeOf, steps, type Place } from '../../../renderer/state/route.svelte.ts';
import { stepOf } from '../../../renderer/frame/step-of.ts';

const places: Place[] = [
  { screen: 'name', subject: null },
  { screen: 'assistants', subject: null },
  { screen: 'settings', subject: null },
  ...(['name', 'learn', 'train'] as const).map((screen): Place => ({ screen, subject: { draft: '0123456789abcdef' } })),
  ...[null, ...steps].map((screen): Place => ({ screen, subject: { run: '20261128-120000-abcdef' } })),
];

describe('placeOf', () => {
  it.each(places.map((place) => [hashOf(place), place] as const))('reads %s as it was written', (hash, place) => {
    expect(placeOf(hash)).toEqual(place);
  });

  it.each(['', '#', '#run', '#run/', '#run/a b/compare', '#draft/../name', '#nowhere/x'])('leads from %j to the first screen', (hash) => {
    expect(placeOf(hash)).toEqual({ screen: 'name', subject: null });
  });

  it('takes a step that there is none of as none', () => {
    expect(placeOf('#run/a/fly')).toEqual({ screen: null, subject: { run: 'a' } });
  });
});

describe('stepOf', () => {
  const place: Place = { screen: null, subject: { run: 'a' } };
  it('compares what is ready and watches everything else', () => {
    expect(stepOf(place, { status: 'done', chosen_step: 20 })).toBe('compare');
    expect(stepOf(place, { status: 'done', chosen_step: null })).toBe('train');
    expect(stepOf(place, { status: 'running', chosen_step: null })).toBe('train');
    expect(stepOf(place, null)).toBe('train');
    expect(stepOf({ screen: 'learn', subject: { run: 'a' } }, null)).toBe('learn');
    expect(stepOf({ screen: 'settings', subject: null }, null)).toBeNull();
  });
});
