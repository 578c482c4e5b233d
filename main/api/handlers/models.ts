// Models: the catalogue, what is here, what is fetched. Downloads tell how they stand by the service's own event.
import type { HandlersOf } from '../handlers.ts';
import { checkModel } from '../model-ref.ts';

export const models: HandlersOf<'models'> = {
  'models.list': ({ core }) => core.models.list(),
  'models.download': async ({ core, hub }, { model, accept_licence }) => {
    await core.tokens.load();
    await core.models.download(model, accept_licence);
    hub.tell({ event: 'models' });
    return null;
  },
  'models.pause': async ({ core }, { model }) => {
    await core.models.pause(model);
    return null;
  },
  'models.remove': async ({ core, hub }, { model }) => {
    // Who looked at a row a moment ago does not keep its model from going.
    await core.rowLives.close();
    await core.models.remove(model);
    hub.tell({ event: 'models' });
    return null;
  },
  'models.add': ({ core, hub, queues }, { file }) =>
    queues.check.run(async () => {
      const { path, name } = core.files.take(file);
      const engine = core.startEngine();
      try {
        await engine.open({ path, precision: 'as-stored', device: 'cpu', ...core.compute });
      } finally {
        await engine.dispose();
      }
      const id = await core.models.add(path, name);
      core.files.drop(file);
      hub.tell({ event: 'models' });
      return { id };
    }),
  'models.memory': ({ core, queues }, { recipe, draft }) => {
    const { ref } = recipe.model;
    // A run that was started on the command line may name a file; others may not.
    if (!core.runs.list().some((run) => run.recipe.model.ref === ref)) checkModel(core, ref);
    const rows =
      draft === undefined
        ? null
        : {
            version: core.drafts.version({ draft }),
            count: core.drafts.get(draft).rows,
            make: async () => (await core.drafts.trained({ draft })).rows.map(({ row }) => row),
          };
    return queues.check.run(() => core.memory.ofRecipe(recipe, rows));
  },
};
