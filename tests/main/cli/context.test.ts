// What needs no database works where there can be none.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { errorCode, eventsOf, lastEvent, namesake } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';

it('shipped recipes and the doctor come in a home that cannot be written to; what keeps something says why not', { timeout: 60_000 }, async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  const home = join(file, 'home');
  expect(eventsOf(await namesake(['recipes', 'list', '--json'], { home }), 'recipe').length).toBeGreaterThan(0);
  expect(lastEvent(await namesake(['recipes', 'show', '--json'], { home }))).toMatchObject({ event: 'result' });
  expect(lastEvent(await namesake(['doctor', '--json'], { home }))).toMatchObject({ event: 'result', home });
  expect(errorCode(await namesake(['runs', 'list', '--json'], { home }))).toBe('disk.unwritable');
});
