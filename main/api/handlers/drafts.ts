// Drafts: what an assistant is made from, before it becomes a run.
import type { HandlersOf } from '../handlers.ts';
import { checkModel } from '../model-ref.ts';

export const drafts: HandlersOf<'drafts' | 'persona'> = {
  'persona.preview': ({ core }, { persona }) => ({ rows: core.drafts.preview(persona) }),
  'drafts.create': ({ core }, input) => {
    if (input.model !== undefined) checkModel(core, input.model);
    return core.drafts.create(input);
  },
  'drafts.from_run': ({ core }, { run }) => core.drafts.fromRun(run),
  'drafts.list': ({ core }) => core.drafts.list(),
  'drafts.get': ({ core }, { draft }) => core.drafts.get(draft),
  'drafts.change': ({ core }, { draft, recipe }) => {
    const { ref } = core.drafts.get(draft).recipe.model;
    if (recipe.model.ref !== ref) checkModel(core, recipe.model.ref);
    return core.drafts.change(draft, recipe);
  },
  'drafts.questions': ({ core }, { draft }) => core.drafts.questions(draft),
  'drafts.set_questions': ({ core }, { draft, questions }) => core.drafts.setQuestions(draft, questions),
  'drafts.delete': ({ core }, { draft }) => {
    core.drafts.delete(draft);
    return null;
  },
};
