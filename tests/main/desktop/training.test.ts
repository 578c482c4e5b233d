import { expect, test } from 'vitest';
import { Training } from '../../../main/desktop/training.ts';
import type { ApiEvent } from '../../../shared/api.ts';
import type { RunStatus } from '../../../shared/run.ts';

const told = (run: string, status: RunStatus, step = 1): ApiEvent => ({
  event: 'run',
  run,
  name: run,
  status,
  step,
  steps: 9,
  created_at: '',
  error: null,
  chosen_step: null,
  progress: null,
});

function listen(ours: string[]): { training: Training; heard: string[] } {
  const heard: string[] = [];
  const training = new Training((run) => ours.includes(run), {
    going: ({ run, step }) => heard.push(`${run} ${step}`),
    ended: ({ run, status }) => heard.push(`${run} ${status}`),
  });
  return { training, heard };
}

test('a run of this process is followed from its first event to its end', () => {
  const { training, heard } = listen(['a']);
  training.hear([told('a', 'preparing', 0), told('a', 'running', 3)]);
  expect(training.current?.step).toBe(3);
  training.hear([told('a', 'done', 9)]);
  expect(heard).toEqual(['a 0', 'a 3', 'a done']);
  expect(training.current).toBeNull();
});

test('its last events come when this process trains nothing any more', () => {
  const ours = ['a'];
  const { training, heard } = listen(ours);
  training.hear([told('a', 'running')]);
  ours.length = 0;
  training.hear([told('a', 'running', 2), told('a', 'failed', 2)]);
  expect(heard).toEqual(['a 1', 'a 2', 'a failed']);
});

test('runs of other processes are none of its business', () => {
  const { training, heard } = listen(['a']);
  training.hear([told('b', 'running'), told('b', 'done'), { event: 'runs' }]);
  expect(heard).toEqual([]);
  expect(training.current).toBeNull();
});
