// Examples as one types: asked for when the typing rests, the last answer wins, the old ones stay until the new ones are here.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { PAUSE_MS, PersonaPreview } from '../../../../renderer/screens/name/preview.svelte.ts';
import { markedParts } from '../../../../renderer/ui/marked.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import { personaSchema, type Persona } from '../../../../shared/persona.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const named = (name: string): Persona => personaSchema.parse({ owner: 'A', name });

function open() {
  const transport = new FakeTransport();
  const api = new Api(transport);
  transport.connect('open');
  const preview = new PersonaPreview(api);
  const names = (): string[] => transport.asked.map(({ input }) => (input as { persona: Persona }).persona.name);
  const answer = async (at = 0): Promise<void> => {
    const name = names()[at] ?? '';
    transport.asked[at]?.answer({ rows: [{ question: 'Who?', answer: name }] });
    await settle();
  };
  const shown = (): string | undefined => preview.shown?.rows[0]?.answer;
  return { transport, preview, names, answer, shown };
}

describe('PersonaPreview', () => {
  it('asks at once for the first one, and then when the typing rests', async () => {
    const { transport, preview, names, answer, shown } = open();
    preview.show(named('a'), 'en');
    vi.advanceTimersByTime(0);
    expect(transport.asked[0]?.input).toEqual({ persona: { ...named('a'), languages: ['en'] } });
    await answer();
    for (const name of ['ab', 'abc', 'abcd']) {
      preview.show(named(name), 'en');
      vi.advanceTimersByTime(PAUSE_MS - 1);
    }
    expect([names(), shown()]).toEqual([[], 'a']);
    vi.advanceTimersByTime(1);
    expect(names()).toEqual(['abcd']);
    await answer();
    expect(shown()).toBe('abcd');
  });

  it('shows the answer to the last question, whatever order they come in, and the old one meanwhile', async () => {
    const { preview, names, answer, shown } = open();
    preview.show(named('a'), 'en');
    vi.advanceTimersByTime(0);
    await answer();
    for (const name of ['b', 'c']) {
      preview.show(named(name), 'en');
      vi.advanceTimersByTime(PAUSE_MS);
    }
    expect([names(), shown()]).toEqual([['b', 'c'], 'a']);
    await answer(1);
    expect(shown()).toBe('c');
    await answer();
    expect(shown()).toBe('c');
  });

  it('asks once for the same, again for another language, and shows nothing for nothing', async () => {
    const { transport, preview, names, answer, shown } = open();
    preview.show(named('a'), 'en');
    preview.show(named('a'), 'en');
    vi.advanceTimersByTime(PAUSE_MS);
    expect(names()).toEqual(['a']);
    await answer();
    preview.show(named('a'), 'zh');
    vi.advanceTimersByTime(PAUSE_MS);
    expect(transport.asked[0]?.input).toMatchObject({ persona: { languages: ['zh'] } });
    preview.show(null, 'zh');
    expect(shown()).toBeUndefined();
    await answer();
    expect(shown()).toBeUndefined();
  });

  it('says why there are none, asks again when told to, and when the connection is back', async () => {
    const { transport, preview, names, answer, shown } = open();
    preview.show(named('a'), 'en');
    vi.advanceTimersByTime(0);
    transport.asked[0]?.refuse(new NamesakeError('persona.invalid', 'd', { detail: 'd' }));
    await settle();
    expect(preview.error?.code).toBe('persona.invalid');
    preview.retry();
    transport.asked[0]?.breakOff();
    await settle();
    expect(preview.error?.code).toBe('persona.invalid');
    transport.connect('lost');
    transport.connect('open');
    expect(names()).toEqual(['a']);
    await answer();
    expect([preview.error, shown()]).toEqual([null, 'a']);
    preview.close();
    transport.tell({ event: 'lost' });
    expect(names()).toEqual([]);
  });
});

describe('markedParts', () => {
  it('marks words of the persona, the longest that fits, and loses nothing', () => {
    const parts = markedParts('我叫小锋 Feng (A+B) FENG。', ['小锋', '小锋 Feng', 'feng', 'A+B', undefined, ' ']);
    expect(parts.map(({ text }) => text).join('')).toBe('我叫小锋 Feng (A+B) FENG。');
    expect(parts.filter(({ marked }) => marked).map(({ text }) => text)).toEqual(['小锋 Feng', 'A+B', 'FENG']);
    expect(markedParts('text', [undefined, ''])).toEqual([{ text: 'text', marked: false }]);
  });
});
