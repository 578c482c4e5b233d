import { expect, it } from 'vitest';
import { checkNode } from '../../../main/cli/node-version.ts';
import { thrownBy } from '../../support/errors.ts';

it.each(['22.12.0', '22.20.1', '24.0.0'])('Node %s is new enough', (version) => {
  expect(() => {
    checkNode(version);
  }).not.toThrow();
});

it.each(['18.20.0', '20.19.5', '22.11.9'])('Node %s is node.too_old', (found) => {
  const error = thrownBy(() => {
    checkNode(found);
  });
  expect(error).toMatchObject({ code: 'node.too_old', params: { found, least: '22.12' } });
});
