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

  it('remembers a bounded number of askers', () => {
    const lines: RefusalLine[] = [];
    const refusals = new Refusals((line) => lines.push(line), () => 0);
    for (let i = 0; i < 2000; i++) refusals.note(tooMany, `asker ${i}`);
    expect(lines).toHaveLength(2000);
    // The first ones are forgotten by now, the last one is not.
    refusals.note(tooMany, 'asker 0');
    refusals.note(tooMany, 'asker 1999');
    expect(lines).toHaveLength(2001);
  });
});

describe('statusOf', () => {
  it('says in HTTP what the code says', () => {
    expect([statusOf('door.refused'), statusOf('door.unauthorized'), statusOf('request.too_many'), statusOf('internal')]).toEqual([403, 401, 429, 500]);
  });
});
