import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Schedule } from '../../../main/services/schedule.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import '../../support/arbitrary.ts';

const evaluate = (every_steps: number, from_step: number) => recipeSchema.parse({ name: 'r', data: { source: '/x' }, evaluate: { every_steps, from_step }, checkpoint: { every_steps: 4 } });
const steps = (count: number, is: (step: number) => boolean): number[] => Array.from({ length: count }, (_, i) => i + 1).filter(is);

it('evaluates from from_step on, every so often, and always the last; saves then and every so often', () => {
  const schedule = new Schedule(evaluate(5, 10), 23, true);
  expect(steps(23, (step) => schedule.isEvaluated(step))).toEqual([10, 15, 20, 23]);
  expect(steps(23, (step) => schedule.isSaved(step))).toEqual([4, 8, 10, 12, 15, 16, 20, 23]);
  expect(steps(3, (step) => new Schedule(evaluate(5, 10), 3, true).isEvaluated(step))).toEqual([3]);
});

it('saves the last step where nothing is evaluated', () => {
  const schedule = new Schedule({ evaluate: null, checkpoint: null }, 9, false);
  expect(steps(9, (step) => schedule.isSaved(step))).toEqual([9]);
  expect(schedule.evaluationsAfter(0)).toBe(0);
});

it('counts the evaluations to come as a walk over the steps does', () => {
  const small = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(small, small, small, fc.boolean(), (every, from, count, evaluated) => {
      const schedule = new Schedule(evaluate(every, from), count, evaluated);
      for (let step = 0; step <= count; step++) {
        expect(schedule.evaluationsAfter(step)).toBe(steps(count, (later) => later > step && schedule.isEvaluated(later)).length);
      }
    }),
  );
});
