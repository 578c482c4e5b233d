// The log of refusals: the first of a kind at once, the rest of a flood as a number.
import { describe, expect, it } from 'vitest';
import { NamesakeError } from '../../../shared/errors.ts';
import { Refusals, statusOf, type RefusalLine } from '../../../main/serve/refusals.ts';

const refused = new NamesakeError('door.refused', 'another site asks');
const tooMany = new NamesakeError('request.too_many', 'too fast');

describe('Refusals', () => {
  it('says each kind of each asker at once, and how often it came again afterwards', () => {
    let now = 0;
    const lines: RefusalLine[] = [];
    const refusals = new Refusals((line) => lines.push(line), () => now);
    for (let i = 0; i < 1000; i++) refusals.note(tooMany, 'a');
    refusals.note(refused, 'a');
    refusals.note(tooMany, 'b');
    expect(lines).toEqual([
      { code: 'request.too_many', reason: 'too fast', who: 'a' },
      { code: 'door.refused', reason: 'another site asks', who: 'a' },
      { code: 'request.too_many', reason: 'too fast', who: 'b' },
    ]);
    refusals.flush();
    expect(lines).toHaveLength(3);
    now += 10_000;
    refusals.flush();
    expect(lines.slice(3)).toEqual([{ code: 'request.too_many', reason: 'too fast', who: 'a', times: 999 }]);
    refusals.note(tooMany, 'a');
    expect(lines).toHaveLength(5);
  });

  it('tells a bounded number of askers apart: a flood from any number of addresses is few lines', () => {
    let now = 0;
    const lines: RefusalLine[] = [];
    const refusals = new Refusals((line) => lines.push(line), () => now);
    for (let i = 0; i < 2000; i++) refusals.note(tooMany, `asker ${i}`);
    expect(lines).toHaveLength(257);
    expect(lines.at(-1)).toEqual({ code: 'request.too_many', reason: 'too fast', who: 'many' });
    // Those that are known are counted on; of another kind there is one more line, whoever asks.
    refusals.note(tooMany, 'asker 0');
    refusals.note(refused, 'asker 0');
    refusals.note(refused, 'asker 1');
    expect(lines.slice(257)).toEqual([{ code: 'door.refused', reason: 'another site asks', who: 'many' }]);
    now += 10_000;
    refusals.note(tooMany, 'asker 1999');
    expect(lines.slice(258)).toEqual([
      { code: 'request.too_many', reason: 'too fast', who: 'asker 0', times: 1 },
      { code: 'request.too_many', reason: 'too fast', who: 'many', times: 1743 },
      { code: 'door.refused', reason: 'another site asks', who: 'many', times: 1 },
      { code: 'request.too_many', reason: 'too fast', who: 'asker 1999' },
    ]);
  });
});

describe('statusOf', () => {
  it('says in HTTP what the code says', () => {
    expect([statusOf('door.refused'), statusOf('door.unauthorized'), statusOf('request.too_many'), statusOf('internal')]).toEqual([403, 401, 429, 500]);
  });
});
