// Numbers, sizes, times and stored errors as people say them.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bytes, duration, percent } from '../../renderer/format.ts';
import { explainStored, speak } from '../../renderer/state/words.svelte.ts';

beforeAll(() => vi.stubGlobal('document', { documentElement: { lang: '' } }));
afterAll(() => vi.unstubAllGlobals());

describe('words', () => {
  it('says times, sizes and shares in both languages', () => {
    speak('en');
    expect([45.4, 200, 7500].map(duration)).toEqual(['45 s', '3 min 20 s', '2 h 5 min']);
    speak('zh');
    expect(duration(200)).toBe('3 分 20 秒');
    expect([bytes(98_400_000), bytes(1.23e9), percent(1), percent(0), percent(0.975)]).toEqual(['98 MB', '1.2 GB', '100%', '0%', '97.5%']);
  });

  it('says a stored error whose wording needs values that are not stored', () => {
    speak('en');
    expect(explainStored('disk.full', 'D')).toMatch(/disk is full.*D/);
    expect(explainStored('rows.too_long', 'row 3 has 900 tokens')).toBe('Failed: row 3 has 900 tokens');
  });
});
