// A draft of a run: made, changed where something is to be changed, and gone to; or told why not.
import { expect, test } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { draftOfRun } from '../../../renderer/state/draft-of-run.ts';
import { hashOf, type Place } from '../../../renderer/state/route.svelte.ts';
import { toNamesakeError, NamesakeError } from '../../../shared/errors.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { FakeTransport, settle } from '../fake-transport.ts';

const recipe = recipeSchema.parse({ data: { persona: { owner: 'Ann', name: 'Bo' } }, steps: 120 });

function start() {
  const transport = new FakeTransport();
  const gone: string[] = [];
  const failed: string[] = [];
  const app = {
    api: new Api(transport),
    route: { go: (place: Place) => void gone.push(hashOf(place)) },
    notices: { fail: (error: unknown) => void failed.push(toNamesakeError(error).code) },
  };
  transport.connect('open');
  const asked = () => transport.asked.map(({ name, input }) => [name, input]);
  return { transport, app, gone, failed, asked };
}

test('it is made and gone to, the run’s recipe as it was', async () => {
  const { transport, app, gone, asked } = start();
  void draftOfRun(app, 'r', 'learn');
  expect(asked()).toEqual([['drafts.from_run', { run: 'r' }]]);
  transport.asked[0]?.answer({ draft: 'd', recipe });
  await settle();
  expect([asked(), gone]).toEqual([[], ['#draft/d/learn']]);
});

test('it is changed before it is gone to', async () => {
  const { transport, app, gone, asked } = start();
  void draftOfRun(app, 'r', 'train', (before) => ({ ...before, steps: 180 }));
  transport.asked[0]?.answer({ draft: 'd', recipe });
  await settle();
  expect([asked(), gone]).toEqual([[['drafts.change', { draft: 'd', recipe: { ...recipe, steps: 180 } }]], []]);
  transport.asked[0]?.answer(null);
  await settle();
  expect(gone).toEqual(['#draft/d/train']);
});

test('where it cannot be made that is told, and the person stays', async () => {
  const { transport, app, gone, failed } = start();
  const made = draftOfRun(app, 'r', 'name');
  transport.asked[0]?.refuse(new NamesakeError('run.unknown', 'r', { run: 'r' }));
  await made;
  expect([gone, failed]).toEqual([[], ['run.unknown']]);
});
