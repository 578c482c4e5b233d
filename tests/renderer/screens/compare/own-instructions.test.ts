import { expect, it } from 'vitest';
import type { Api } from '../../../../renderer/api.ts';
import { ownInstructions } from '../../../../renderer/screens/compare/own-instructions.ts';

const user = { role: 'user' as const, content: 'Hi' };
const system = { role: 'system' as const, content: 'Be brief.' };

/** What a run's first row became. */
async function shown(standard: (typeof user | typeof system)[] | null, template: string | null): Promise<string | null> {
  const request = (name: string): Promise<unknown> =>
    Promise.resolve(name === 'rows.page' ? { total: 1, rows: standard === null ? [] : [{ number: 4 }] } : { standard, text: template === null ? null : { template } });
  return ownInstructions({ request: request as Api['request'] }, 'r');
}

it('a model’s own instructions are what its template writes before the first word', async () => {
  expect(await shown([user], '<s>system\nYou are helpful.</s>\n<s>user\nHi</s>')).toBe('<s>system\nYou are helpful.</s>\n<s>user');
  // A row with a text of its own does not show the template's; nor does a model that is not here, or a run without rows.
  expect(await shown([system, user], '<s>system\nBe brief.</s>\n<s>user\nHi</s>')).toBeNull();
  expect(await shown([user], 'Hi</s>')).toBeNull();
  expect(await shown([user], null)).toBeNull();
  expect(await shown(null, null)).toBeNull();
});
