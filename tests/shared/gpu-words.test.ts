// The cards of a machine in words: each reason why there is none in both languages, with what was found.
import { describe, expect, it } from 'vitest';
import type { GpuCard, GpuReport } from '../../shared/doctor.ts';
import { errorCodes, type ErrorCode } from '../../shared/errors.ts';
import { gpuWords } from '../../shared/i18n/gpu-words.ts';
import { translate } from '../../shared/i18n/translate.ts';
import { languages } from '../../shared/persona.ts';

const card: GpuCard = {
  ...{ ordinal: 0, name: 'NVIDIA GeForce RTX 3060', compute_capability: '8.6', total_memory_bytes: 12.9e9, free_memory_bytes: 9.44e9 },
  ...{ multiprocessors: 28, clock_khz: 1_777_000, integrated: false, wddm: false, problem: null },
};
const none: GpuReport = { driver: null, cards: [], chosen: null, problem: null };
const reasons = errorCodes.filter((code) => code.startsWith('gpu.'));

describe.each(languages)('in %s', (language) => {
  const choose = { good: true, words: translate(language, 'doctor.gpu_choose') };
  const nothing = { good: true, words: translate(language, 'doctor.gpu_none') };

  it('a card with its memory, what it can do and its driver; then how it is chosen', () => {
    const lines = gpuWords(language, { driver: '12.8', cards: [card], chosen: 0, problem: null });
    expect(lines).toHaveLength(2);
    expect(lines[0]?.good).toBe(true);
    for (const part of ['NVIDIA GeForce RTX 3060', '9.4', '12.9', '8.6', '12.8']) expect(lines[0]?.words).toContain(part);
    expect(lines[1]).toEqual(choose);
  });

  it('every reason, with what was found; a machine without a card lacks nothing', () => {
    expect(reasons.length).toBeGreaterThan(5);
    const said = reasons.map((code) => gpuWords(language, { ...none, problem: { code, detail: 'what was found' } }));
    for (const lines of said) {
      expect(lines[0]?.words).toContain('what was found');
      expect(lines.slice(1)).toEqual([nothing]);
    }
    expect(new Set(said.map(([first]) => first?.words)).size).toBe(reasons.length);
    expect(reasons.filter((_, i) => said[i]?.[0]?.good)).toEqual(['gpu.no_driver', 'gpu.no_card']);
  });

  it('a line for each card, with its own reason', () => {
    const code: ErrorCode = 'gpu.card_too_old';
    const old = { ...card, ordinal: 1, free_memory_bytes: null, problem: { code, detail: 'GTX 1080, 6.1' } };
    const lines = gpuWords(language, { driver: '12.8', cards: [card, old], chosen: 0, problem: null });
    expect(lines.map(({ good }) => good)).toEqual([true, false, true]);
    expect(lines[1]?.words).toContain('GTX 1080, 6.1');
    const [alone, ...rest] = gpuWords(language, { driver: '12.8', cards: [old], chosen: null, problem: old.problem });
    expect(alone).toEqual({ good: false, words: lines[1]?.words.replace('cuda:1: ', '') });
    expect(rest).toEqual([nothing]);
  });

  it('of several cards the number of each, which one is taken, and how to take another one', () => {
    const twin = { ...card, ordinal: 1, free_memory_bytes: 11.2e9 };
    const lines = gpuWords(language, { driver: '12.8', cards: [card, twin], chosen: 1, problem: null }).map(({ words }) => words);
    const most = { en: 'the most free memory', zh: '可用显存最多' }[language];
    expect(lines.map((words) => [/cuda:\d/.exec(words)?.[0], words.includes(most)])).toEqual([['cuda:0', false], ['cuda:1', true], ['cuda:0', false], [undefined, false]]);
    expect(lines[2]).toContain('--device cuda:0');
    // The page tells lines apart by their words.
    const problem = { code: 'gpu.card_too_old', detail: 'GTX 1080, 6.1' } as const;
    const old = [0, 1].map((ordinal) => ({ ...card, ordinal, problem }));
    const words = gpuWords(language, { driver: '12.8', cards: old, chosen: null, problem }).map((line) => line.words);
    expect(new Set(words).size).toBe(3);
    expect(words[1]).toContain('cuda:1');
    // Beside one that cannot be used there is nothing to choose.
    const [bad] = old;
    expect(gpuWords(language, { driver: '12.8', cards: [bad as GpuCard, twin], chosen: 1, problem: null })).toHaveLength(3);
  });

  it('that Windows manages a card that can be used, once', () => {
    const managed = { ...card, wddm: true };
    const wddm = { good: true, words: translate(language, 'doctor.gpu_wddm') };
    expect(wddm.words).toContain('WDDM');
    const [own] = gpuWords(language, { driver: '12.8', cards: [card], chosen: 0, problem: null });
    expect(gpuWords(language, { driver: '12.8', cards: [managed], chosen: 0, problem: null })).toEqual([own, wddm, choose]);
    const two = gpuWords(language, { driver: '12.8', cards: [managed, { ...managed, ordinal: 1, name: 'NVIDIA GeForce RTX 4090' }], chosen: 0, problem: null });
    expect(two.filter(({ words }) => words === wddm.words)).toHaveLength(1);
    const problem = { code: 'gpu.card_too_old', detail: 'GTX 1080, 6.1' } as const;
    expect(gpuWords(language, { driver: '12.8', cards: [{ ...managed, problem }], chosen: null, problem })).not.toContainEqual(wddm);
  });

  it('nothing where there was no engine to ask', () => {
    expect(gpuWords(language, null)).toEqual([]);
  });
});
