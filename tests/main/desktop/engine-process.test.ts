import { beforeAll, expect, test, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { forkUtility } from '../../../main/desktop/engine-process.ts';
import type { HostExit } from '../../../main/engine/host-process.ts';
import { state } from '../../e2e/standin/session.ts';
import { openOptions } from '../engine/tiny.ts';
import { isAlive } from '../../support/processes.ts';

vi.mock('electron', () => import('../../e2e/standin/utility-process.ts'));
vi.setConfig({ testTimeout: 60_000 });
beforeAll(() => {
  state.ready = true;
});

const start = (environment: Record<string, string> = {}): ReturnType<typeof startEngine> =>
  startEngine({ priority: 'normal', start: forkUtility, environment });

test('the engine answers from a utility process and ends when it is told to', async () => {
  const engine = start();
  await engine.open(openOptions);
  expect(await engine.encode('a')).toHaveLength(1);
  const pid = engine.pid ?? 0;
  expect(isAlive(pid)).toBe(true);
  await engine.dispose();
  expect(isAlive(pid)).toBe(false);
});

test('one that is killed fails what was under way, once', async () => {
  const engine = start();
  await engine.open(openOptions);
  const exits: HostExit[] = [];
  engine.onExit((exit) => exits.push(exit));
  const steps = engine.encode('a'.repeat(200_000)).catch((error: unknown) => error);
  process.kill(engine.pid ?? 0, 'SIGKILL');
  expect(await steps).toMatchObject({ code: 'engine.crashed' });
  expect(exits).toHaveLength(1);
});

test('the last words of one that dies at its start are in the error, although Electron drops its listeners', async () => {
  const engine = start({ NODE_OPTIONS: '--import=/no/such/file.mjs' });
  expect(await engine.open(openOptions).catch((error: unknown) => error)).toMatchObject({
    code: 'engine.crashed',
    detail: expect.stringContaining('file.mjs'),
  });
});
