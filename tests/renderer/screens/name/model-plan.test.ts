// What is said of a model's memory: on the card where one has room, and otherwise why the processor computes.
import { describe, expect, it } from 'vitest';
import { fitWords, needWords, planLines } from '../../../../renderer/screens/name/model-plan.ts';
import { t } from '../../../../renderer/state/words.svelte.ts';
import type { CardPlan, Placement } from '../../../../shared/memory.ts';
import { card as model } from '../../model-card.ts';

const card: CardPlan = { ordinal: 0, name: 'RTX 2060', compute_capability: '7.5', driver: '12.4', needs: 2.4e9, free: 7.4e9 };
const onCard: Placement = { device: 'cuda', card, no_card: null };
const short: Placement = { device: 'cpu', card: { ...card, free: 1.1e9 }, no_card: { code: 'gpu.memory_insufficient', detail: 'RTX 2060: …' } };
const old: Placement = { device: 'cpu', card: null, no_card: { code: 'gpu.card_too_old', detail: 'GTX 1080, 6.1' } };
const none: Placement = { device: 'cpu', card: null, no_card: { code: 'gpu.no_driver', detail: 'libcuda.so.1' } };
const memory = { needs_bytes: 2.4e9, available_bytes: 9e9 };

const takes = t('card.takes', { card: 'RTX 2060', needs: '2.4 GB', free: '7.4 GB' });
const tooSmall = t('card.short', { card: 'RTX 2060', needs: '2.4 GB', free: '1.1 GB' });

describe('under the chosen model', () => {
  const lines = (placement: Placement | null, device: Parameters<typeof planLines>[1] = 'auto', change = {}): [boolean, string][] =>
    planLines(model('m', { ...memory, placement, ...change }), device).map(({ good, words }) => [good, words]);

  it('a card that takes it is named, with what is needed and free on it', () => {
    expect(lines(onCard)).toEqual([[true, takes]]);
  });

  it('a card that does not is named with its numbers, and the processor computes', () => {
    expect(lines(short)).toEqual([[true, tooSmall], [true, t('card.processor')]]);
    const [why, processor] = lines(old);
    expect(why?.[1]).toContain('GTX 1080, 6.1');
    expect(processor).toEqual([true, t('card.processor')]);
  });

  it('where there is none, or nobody could be asked, nothing', () => {
    expect([lines(none), lines(null)]).toEqual([[], []]);
  });

  it('a device that was chosen by its name leads nowhere else', () => {
    expect(lines(short, 'cuda')).toEqual([[false, t('card.takes', { card: 'RTX 2060', needs: '2.4 GB', free: '1.1 GB' })]]);
    const second: Placement = { device: 'cuda:1', card: { ...card, ordinal: 1 }, no_card: null };
    expect([lines(second, 'cuda:1'), lines(second, 'cuda:1', { fits: false })]).toEqual(Array(2).fill([[true, takes]]));
    expect([lines(onCard, 'cpu'), lines(short, 'reference')]).toEqual([[], []]);
  });

  it('too little memory for the processor, too, is said last', () => {
    const needs = t('model.needs', { needs: '2.4 GB', available: '2.0 GB' });
    expect(lines(short, 'auto', { fits: false, available_bytes: 2e9 })).toEqual([[true, tooSmall], [true, t('card.processor')], [false, needs]]);
  });
});

it('in the list: whether it fits and on what', () => {
  expect(fitWords(model('m', { placement: onCard }))).toBe(t('model.fits_card'));
  expect(fitWords(model('m', { placement: { ...onCard, device: 'cuda:1' } }))).toBe(t('model.fits_card'));
  expect(fitWords(model('m', { placement: short }))).toBe(t('model.fits'));
  expect(fitWords(model('m', { placement: short, fits: false }))).toBe(t('model.too_large'));
  expect(fitWords(model('m', { fits: null }))).toBe('');
  expect(needWords(model('m', { ...memory, placement: onCard }))).toBe(takes);
  expect(needWords(model('m', { ...memory, placement: short }))).toBe(t('model.needs', { needs: '2.4 GB', available: '9.0 GB' }));
  expect(needWords(model('m', { ...memory, needs_bytes: null }))).toBe(t('model.needs_unknown'));
});
