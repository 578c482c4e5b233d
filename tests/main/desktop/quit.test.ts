import { expect, test, vi } from 'vitest';
import { Quit, type QuitActions, type QuitChoice } from '../../../main/desktop/quit.ts';
import type { RunSummary } from '../../../shared/run.ts';

vi.mock('electron', () => ({ dialog: {} }));

const run: RunSummary = { run: 'a', name: 'a', status: 'running', step: 3, steps: 9, created_at: '', error: null, chosen_step: null };

/** Quits as Electron does: what is prevented is tried again by the app itself. */
function leave(choice: QuitChoice | null, change: Partial<QuitActions> = {}): { quit: Quit; did: string[]; press: () => boolean } {
  const did: string[] = [];
  const press = (): boolean => {
    let prevented = false;
    quit.beforeQuit({ preventDefault: () => (prevented = true) });
    if (!prevented) did.push('left');
    return prevented;
  };
  const actions: QuitActions = {
    training: () => (choice === null ? null : run),
    ask: () => {
      did.push('asked');
      return Promise.resolve(choice ?? 'cancel');
    },
    keep: () => did.push('kept'),
    discard: () => Promise.resolve(void did.push('discarded')),
    close: () => Promise.resolve(void did.push('closed')),
    quit: () => void press(),
    onTrouble: () => did.push('trouble'),
    ...change,
  };
  const quit = new Quit(actions);
  return { quit, did, press };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test.each([
  [null, ['closed', 'left']],
  ['stop', ['asked', 'closed', 'left']],
  ['discard', ['asked', 'discarded', 'closed', 'left']],
  ['keep', ['asked', 'kept']],
  ['cancel', ['asked']],
] as const)('%s', async (choice, expected) => {
  const { did, press, quit } = leave(choice);
  expect([press(), press(), press()]).toEqual([true, true, true]);
  await settled();
  expect(did).toEqual(expected);
  expect(quit.decided).toBe(did.includes('left'));
});

test('after an answer that keeps the app, the next way out asks again', async () => {
  const { did, press } = leave('keep');
  press();
  await settled();
  press();
  await settled();
  expect(did).toEqual(['asked', 'kept', 'asked', 'kept']);
});

test('a run that ends while its fate is asked for is kept as it is, and the app leaves', async () => {
  let going = true;
  for (const choice of ['discard', 'keep'] as const) {
    going = true;
    const { did, press } = leave(choice, {
      training: () => (going ? run : null),
      ask: () => {
        going = false;
        return Promise.resolve(choice);
      },
    });
    press();
    await settled();
    expect(did, choice).toEqual(['closed', 'left']);
  }
});

test('what fails on the way out does not hold the app', async () => {
  const { did, press } = leave('stop', { close: () => Promise.reject(new Error('no')) });
  press();
  await settled();
  expect(did).toEqual(['asked', 'trouble', 'left']);
});

test('a question that cannot be asked leaves the app as it is', async () => {
  const { did, press } = leave('stop', { ask: () => Promise.reject(new Error('no')) });
  press();
  await settled();
  expect(did).toEqual(['trouble']);
});
