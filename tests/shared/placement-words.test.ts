// What a plan found out about the machine's card, in words: what fits, and each reason why the processor computes.
import { describe, expect, it } from 'vitest';
import { errorCodes, type ErrorCode } from '../../shared/errors.ts';
import { placementWords } from '../../shared/i18n/placement-words.ts';
import { translate } from '../../shared/i18n/translate.ts';
import type { CardPlan } from '../../shared/memory.ts';
import { languages } from '../../shared/persona.ts';

const card: CardPlan = { ordinal: 0, name: 'NVIDIA GeForce RTX 2060', compute_capability: '7.5', driver: '12.4', needs: 2.4e9, free: 7.4e9 };
const reasons = errorCodes.filter((code) => code.startsWith('gpu.'));

describe.each(languages)('in %s', (language) => {
  const processor = translate(language, 'card.processor');

  it('a card that takes it: its name, what is needed, what is free', () => {
    const words = placementWords(language, { device: 'cuda', card, no_card: null });
    expect(words).toHaveLength(1);
    for (const part of [card.name, '2.4 GB', '7.4 GB']) expect(words[0]).toContain(part);
  });

  it('a card with too little room: the same numbers, and that the processor computes', () => {
    const no_card = { code: 'gpu.memory_insufficient' as ErrorCode, detail: '…' };
    const words = placementWords(language, { device: 'cpu', card: { ...card, free: 1.1e9 }, no_card });
    for (const part of [card.name, '2.4 GB', '1.1 GB']) expect(words[0]).toContain(part);
    expect(words.slice(1)).toEqual([processor]);
  });

  it('every other reason with what was found; a machine without a card lacks nothing', () => {
    const said = reasons.map((code) => placementWords(language, { device: 'cpu', card: null, no_card: { code, detail: 'what was found' } }));
    expect(reasons.filter((_, i) => said[i]?.length === 0)).toEqual(['gpu.no_driver', 'gpu.no_card']);
    for (const words of said.filter(({ length }) => length > 0)) {
      expect(words[0]).toContain('what was found');
      expect(words.slice(1)).toEqual([processor]);
    }
  });

  it('nothing where nobody asked for a card', () => {
    expect(placementWords(language, { device: 'cpu', card: null, no_card: null })).toEqual([]);
  });
});
